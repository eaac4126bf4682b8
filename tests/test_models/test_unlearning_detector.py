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
from gslora_det.lora import inject_lora, lora_disabled, lora_groups, plain_state_dict
from gslora_det.losses import logit_distillation_loss
from gslora_det.models.detr_step import join, query_outputs


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


ONE_STAGE = ['conditional_detr/conditional-detr_r50_8xb2-50e_coco',
             'dab_detr/dab-detr_r50_8xb2-50e_coco']
TWO_STAGES = ['deformable_detr/deformable-detr-refine-twostage_r50_16xb2-50e_coco',
              'dino/dino-4scale_r50_8xb2-12e_coco']


@pytest.fixture
def other(tmp_path):
    """Another detector with random weights: plain, and as a method trains it."""
    def build(name, **method):
        torch.manual_seed(0)
        plain, weights = MODELS.build(small(name)), tmp_path / 'weights.pth'
        plain.init_weights()
        save_weights(plain.state_dict(), weights, {})
        method = dict(dict(type='GSLoRA', classes=CLASSES, split=SPLIT), **method)
        model = MODELS.build(dict(type='UnlearningDetector', detector=small(name),
                                  weights=str(weights), method=method))
        return without_dropout(plain), without_dropout(model)
    return build


@pytest.mark.parametrize('name', ONE_STAGE + TWO_STAGES)
def test_retain_terms_are_the_last_layers_loss_of_other_detectors(name, pair, other):
    inputs, data_samples = pair
    plain, model = other(name, distill=0.5, hold=0.5)
    expected = plain.loss(inputs['retain'], copy.deepcopy(data_samples['retain']))
    found = model.loss(inputs, data_samples)
    for term in ('loss_cls', 'loss_bbox', 'loss_iou'):
        assert found[f'retain_{term}'].item() == pytest.approx(expected[term].item(), rel=1e-4)
    sum(value for key, value in found.items() if 'loss' in key).backward()
    assert all(p.grad is not None for p in model.parameters() if p.requires_grad)


@pytest.mark.parametrize('name', TWO_STAGES)
def test_teachers_look_at_the_proposals_of_the_student(name, pair, other):
    _, model = other(name, distill=1.0, hold=1.0)
    for group in lora_groups(model.detector):
        for layer in group.layers.values():
            torch.nn.init.normal_(layer.lora_B, std=0.1)
    batch = join(*model.extract(*copy.deepcopy(pair)).values())
    student, = query_outputs(model.detector, batch)
    with lora_disabled(lora_groups(model.detector)):
        its_own, = query_outputs(model.detector, batch)
    moved = (student.proposals != its_own.proposals)
    assert 0 < moved.float().mean() < 1
    apart = logit_distillation_loss(student.logits[-1][..., :3], its_own.logits[-1][..., :3])
    # Of the same proposals the two say nearly the same.
    assert model.loss(*pair)['distill_loss_cls'] < 0.1 * apart
    with pytest.raises(ValueError, match='cache_teachers does not go with a two-stage'):
        other(name, distill=1.0, cache_teachers=True)


@pytest.mark.parametrize('name', TWO_STAGES)
def test_proposals_are_ranked_as_before_when_the_head_is_masked(name, pair, other):
    """Class 0 is that by which MMDet ranks the proposals of two-stage Deformable DETR."""
    split = dict(retained=list('bcde'), forgotten=['a'])
    plain, model = other(name, type='HeadMask', split=split)
    model.method.before_task(model.detector, None)
    batch = model.extract(*pair)['retain']
    before, = query_outputs(plain, batch)
    after, = query_outputs(model.detector, batch)
    assert torch.equal(before.boxes, after.boxes)
    assert torch.equal(before.logits[..., 1:], after.logits[..., 1:])
    assert torch.allclose(after.logits[..., 0].sigmoid(), torch.tensor(0.01))


@pytest.mark.parametrize('name', ONE_STAGE + TWO_STAGES)
@pytest.mark.parametrize('method', [
    dict(type='GSLoRAPlusPlus', prototype_retain=0.1), dict(type='LwF', relabel='sink'),
    dict(type='LIRF'), dict(type='HeadMask')], ids=lambda method: method['type'])
def test_methods_that_look_into_the_head_know_other_heads(name, method, pair, other):
    plain, model = other(name, **method)
    model.method.before_task(model.detector, None)
    if model.method.trains:
        losses = model.loss(*pair)
        assert all(value.isfinite() for value in losses.values())
        sum(value for key, value in losses.items() if 'loss' in key).backward()
    changed = {key for key, value in plain.state_dict().items()
               if not torch.equal(value, plain_state_dict(model.detector)[key])}
    assert bool(changed) == (method['type'] == 'HeadMask')
    if method['type'] == 'LIRF':
        assert {key.split('.')[0] for key, p in model.detector.named_parameters()
                if p.requires_grad} == {'backbone', 'neck'}


@pytest.mark.parametrize('name, change, message', [
    ('detr/detr_r50_8xb2-150e_coco', {}, 'a softmax over all classes'),
    ('ddq/ddq-detr-4scale_r50_8xb2-12e_coco', {}, 'DDQDETR cannot be unlearned yet'),
    ('dab_detr/dab-detr_r50_8xb2-50e_coco', dict(classes=6),
     'num_classes is 6 and the data set names 5 classes')])
def test_detectors_that_cannot_be_unlearned_are_refused(name, change, message):
    with pytest.raises(ValueError, match=message):
        MODELS.build(dict(type='UnlearningDetector', detector=small(name, **change),
                          weights='', method=dict(type='GSLoRA', classes=CLASSES, split=SPLIT)))
