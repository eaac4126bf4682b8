import copy

import pytest
import torch
from mmengine.config import Config
from mmengine.hub import get_config

import gslora_det  # noqa: F401

# isort: split
from mmdet.registry import MODELS
from support import CLASSES, CONFIGS, SPLIT, samples

from gslora_det.engine.checkpoint import CheckpointError, load_weights, read_weights, save_weights
from gslora_det.lora import inject_lora, lora_groups, plain_state_dict


def plain(tiny_config, weights):
    detector = MODELS.build(copy.deepcopy(tiny_config))
    load_weights(detector, weights)
    return detector.eval()


@torch.no_grad()
def test_starts_equal_to_the_checkpoint_bit_for_bit(build_unlearning, tiny_config,
                                                    tiny_weights):
    images = torch.randn(2, 3, 64, 64)
    # PyTorch picks its matrix products by requires_grad, even without gradients.
    frozen = plain(tiny_config, tiny_weights).requires_grad_(False)
    expected = frozen.predict(images, samples([[], []]))
    found = build_unlearning().eval()(images, samples([[], []]), mode='predict')
    for a, b in zip(expected, found):
        assert torch.equal(a.pred_instances.scores, b.pred_instances.scores)
        assert torch.equal(a.pred_instances.bboxes, b.pred_instances.bboxes)


def test_only_lora_trains_and_base_weights_stay_bit_identical(build_unlearning, pair,
                                                              tiny_weights):
    model = build_unlearning(distill=0.5, hold=0.5).train()
    trainable = [n for n, p in model.named_parameters() if p.requires_grad]
    assert trainable and all(n.endswith(('lora_A', 'lora_B')) for n in trainable)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01, weight_decay=0.1)
    for _ in range(3):
        losses = model.loss(*copy.deepcopy(pair))
        optimizer.zero_grad()
        sum(v for k, v in losses.items() if 'loss' in k).backward()
        optimizer.step()
    assert any(group.norm() > 0 for group in lora_groups(model.detector))
    original = read_weights(tiny_weights)
    state = plain_state_dict(model.detector)
    assert set(state) == set(original)
    assert all(torch.equal(state[key], original[key]) for key in original)


def test_training_leaves_frozen_batch_norms_frozen(build_unlearning):
    model = build_unlearning().train()
    assert model.detector.encoder.training
    norms = [m for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert norms and not any(norm.training for norm in norms)


def test_backbone_runs_once_over_both_branches_without_a_graph(build_unlearning, pair):
    model = build_unlearning().train()
    calls = []
    model.detector.backbone.register_forward_hook(
        lambda module, args, outputs: calls.append((args[0].shape, outputs[0].requires_grad)))
    model.loss(*pair)
    assert calls == [((5, 3, 64, 64), False)]


def test_branches_of_different_size_are_padded_to_one(build_unlearning, tiny_config, pair):
    model = build_unlearning()
    inputs, data_samples = pair
    inputs['retain'] = torch.randn(3, 3, 32, 96)
    for sample in data_samples['retain']:
        sample.set_metainfo(dict(img_shape=(32, 96), batch_input_shape=(32, 96)))
    forget, retain = model.extract(inputs, data_samples).values()
    assert forget.features[0].shape[-2:] == retain.features[0].shape[-2:] == (8, 12)
    assert {s.batch_input_shape for s in retain.data_samples} == {(64, 96)}
    assert all(v.isfinite() for v in model.loss(inputs, data_samples).values())


def test_weights_that_do_not_fit_are_refused(tiny_config, tiny_weights):
    tiny_config.bbox_head.num_classes = 6
    with pytest.raises(CheckpointError, match='cls_branches.0.weight'):
        MODELS.build(dict(
            type='UnlearningDetector', detector=tiny_config, weights=tiny_weights,
            method=dict(type='GSLoRA', classes=list('abcdef'),
                        split=dict(retained=['a'], forgotten=['b']))))


def test_published_number_of_parameters_on_r50():
    cfg = Config.fromfile(CONFIGS / '_base_/models/deformable-detr_r50.py')
    detector = MODELS.build(cfg.model)
    groups = inject_lora(detector.requires_grad_(False), cfg.get('rank', 8))
    assert len(groups) == 12
    assert sum(len(group.layers) for group in groups) == 24
    assert sum(p.numel() for p in detector.parameters() if p.requires_grad) == 245_760


def small(name, classes=5):
    """One of MMDet's own configs, small."""
    cfg = get_config(f'mmdet::{name}.py').model
    cfg.backbone.update(depth=18, init_cfg=None)
    cfg.neck.in_channels = [channels // 4 for channels in cfg.neck.in_channels]
    cfg.encoder.num_layers, cfg.decoder.num_layers, cfg.num_queries = 1, 2, 12
    cfg.bbox_head.num_classes = classes
    return cfg


def without_dropout(model):
    for module in model.train().modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
        elif isinstance(module, torch.nn.MultiheadAttention):
            module.dropout = 0.0
    return model


@pytest.mark.parametrize('name', [
    'conditional_detr/conditional-detr_r50_8xb2-50e_coco',
    'dab_detr/dab-detr_r50_8xb2-50e_coco',
    'deformable_detr/deformable-detr-refine-twostage_r50_16xb2-50e_coco',
    'dino/dino-4scale_r50_8xb2-12e_coco'])
def test_retain_terms_are_the_last_layers_loss_of_other_detectors(name, pair, tmp_path):
    torch.manual_seed(0)
    plain = MODELS.build(small(name))
    plain.init_weights()
    save_weights(plain.state_dict(), tmp_path / 'weights.pth', {})
    inputs, data_samples = pair
    expected = without_dropout(plain).loss(inputs['retain'],
                                           copy.deepcopy(data_samples['retain']))
    model = MODELS.build(dict(
        type='UnlearningDetector', detector=small(name), weights=str(tmp_path / 'weights.pth'),
        method=dict(type='GSLoRA', classes=CLASSES, split=SPLIT, distill=0.5, hold=0.5)))
    found = without_dropout(model).loss(inputs, data_samples)
    for term in ('loss_cls', 'loss_bbox', 'loss_iou'):
        assert found[f'retain_{term}'].item() == pytest.approx(expected[term].item(), rel=1e-4)
    sum(value for key, value in found.items() if 'loss' in key).backward()
    assert all(p.grad is not None for p in model.parameters() if p.requires_grad)


@pytest.mark.parametrize('name, change, message', [
    ('detr/detr_r50_8xb2-150e_coco', {}, 'a softmax over all classes'),
    ('ddq/ddq-detr-4scale_r50_8xb2-12e_coco', {}, 'DDQDETR cannot be unlearned yet'),
    ('dab_detr/dab-detr_r50_8xb2-50e_coco', dict(classes=6),
     'num_classes is 6 and the data set names 5 classes')])
def test_detectors_that_cannot_be_unlearned_are_refused(name, change, message):
    with pytest.raises(ValueError, match=message):
        MODELS.build(dict(type='UnlearningDetector', detector=small(name, **change),
                          weights='', method=dict(type='GSLoRA', classes=CLASSES, split=SPLIT)))
