import copy
import math

import pytest
import torch
from mmengine.config import Config
from mmengine.hub import get_config

import gslora_det  # noqa: F401

# isort: split
from mmdet.registry import MODELS
from support import CLASSES, CONFIGS, SPLIT, samples

from gslora_det.lora import inject_lora, lora_groups, plain_state_dict
from gslora_det.weights import CheckpointError, read_weights, save_weights


def plain(tiny_config, weights):
    """The detector by MMDet and PyTorch alone."""
    detector = MODELS.build(copy.deepcopy(tiny_config))
    detector.load_state_dict(torch.load(weights, weights_only=True)['state_dict'])
    return detector.eval()


def values(losses):
    return {key: value.item() for key, value in losses.items()}


@torch.no_grad()
def own_loss(detector, images, data_samples):
    """MMDet's own loss of the last layer, of the queries of inference."""
    head = detector.eval().bbox_head
    logits, boxes = detector._forward(images, data_samples)
    terms = head.loss_by_feat_single(
        logits[-1], boxes[-1], batch_gt_instances=[s.gt_instances for s in data_samples],
        batch_img_metas=[s.metainfo for s in data_samples])
    return dict(zip(('loss_cls', 'loss_bbox', 'loss_iou'), (t.item() for t in terms)))


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


def test_branches_of_different_size_are_padded_to_one(build_unlearning, tiny_config,
                                                      tiny_weights, pair):
    model = build_unlearning(beta=1.0).train()
    inputs, data_samples = pair
    inputs['retain'] = torch.randn(3, 3, 32, 96)
    for sample in data_samples['retain']:
        sample.set_metainfo(dict(img_shape=(32, 96), batch_input_shape=(32, 96)))
    detector, expected = plain(tiny_config, tiny_weights), {}
    for branch, images in inputs.items():
        padded = torch.zeros(len(images), 3, 64, 96)
        padded[:, :, :images.shape[2], :images.shape[3]] = images
        labelled = copy.deepcopy(data_samples[branch])
        for sample in labelled:
            sample.set_metainfo(dict(batch_input_shape=(64, 96)))
        expected.update({f'{branch}_{k}': v for k, v in own_loss(
            detector, padded, labelled).items()})
    expected['forget_loss_cls'] = 15 - expected['forget_loss_cls']
    found = values(model.loss(inputs, data_samples))
    assert {key: found[key] for key in expected} == pytest.approx(expected, rel=1e-4)


def test_weights_that_do_not_fit_are_refused(tiny_config, tiny_weights):
    tiny_config.bbox_head.num_classes = 6
    with pytest.raises(CheckpointError, match='cls_branches.0.weight'):
        MODELS.build(dict(
            type='UnlearningDetector', detector=tiny_config, weights=read_weights(tiny_weights),
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


ONE_STAGE = ['detr/detr_r50_8xb2-150e_coco',
             'conditional_detr/conditional-detr_r50_8xb2-50e_coco',
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
        for parameter in plain.bbox_head.parameters():
            # MMDet starts the layers alike, and what moves boxes at zero.
            parameter.data += 0.1 * torch.randn_like(parameter)
        save_weights(plain.state_dict(), weights, {})
        method = dict(dict(type='GSLoRA', classes=CLASSES, split=SPLIT), **method)
        model = MODELS.build(dict(type='UnlearningDetector', detector=small(name),
                                  weights=read_weights(weights), method=method))
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


@torch.no_grad()
def said(detector, images, data_samples, places=None):
    """Last-layer logits and boxes by MMDet's own forward, and the proposals' places.

    A two-stage detector picks its proposals by ``torch.topk``, unless they are given.
    """
    picked, topk = [places], torch.topk

    def pick(scores, *args, **kwargs):
        picked[0] = topk(scores, *args, **kwargs)[1] if places is None else places
        return scores.gather(-1, picked[0]), picked[0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, 'topk', pick)
        logits, boxes = detector.eval()._forward(images, data_samples)
    return logits[-1].double(), boxes[-1].double(), picked[0]


@pytest.mark.parametrize('name', ONE_STAGE[:1] + TWO_STAGES)
def test_what_is_frozen_records_no_graph_though_it_is_not_kept(name, pair, other):
    _, model = other(name, targets=['decoder.layers.1.ffn.*'])
    records = {}
    for part in ('backbone', 'encoder', 'decoder.layers.0', 'decoder.layers.1'):
        model.detector.get_submodule(part).register_forward_hook(
            lambda _, args, made, part=part: records.update({
                part: (made if isinstance(made, torch.Tensor) else made[0]).requires_grad}))
    model.loss(*pair)
    assert records == dict.fromkeys(records, False) | {'decoder.layers.1': True}


@pytest.mark.parametrize('name', TWO_STAGES)
def test_teachers_look_at_the_proposals_of_the_student(name, pair, other):
    original, model = other(name, distill=1.0, hold=1.0)
    for group in lora_groups(model.detector):
        for layer in group.layers.values():
            torch.nn.init.normal_(layer.lora_B)
    found = values(model.loss(*copy.deepcopy(pair)))
    images, labelled = torch.cat([*pair[0].values()]), sum(pair[1].values(), [])
    logits, boxes, places = said(model.detector, images, labelled)
    assert 0 < (said(original, images, labelled)[2] != places).double().mean() < 1
    its_logits, its_boxes, _ = said(original, images, labelled, places)
    p, q = its_logits[..., :3].sigmoid(), logits[..., :3].sigmoid()
    divergence = p * (p / q).log() + (1 - p) * ((1 - p) / (1 - q)).log()
    distance = (boxes - its_boxes).abs().sum(-1) * p.amax(-1)
    rise = (logits - its_logits)[..., 3].clamp(min=0)
    expected = dict(distill_loss_cls=divergence.sum().item() / 5,
                    distill_loss_bbox=distance.sum().item() / 5,
                    hold_loss=rise.square().sum().item() / 5)
    assert {key: found[key] for key in expected} == pytest.approx(expected, rel=1e-3, abs=1e-5)
    with pytest.raises(ValueError, match='cache_teachers does not go with a two-stage'):
        other(name, distill=1.0, cache_teachers=True)


@pytest.mark.parametrize('name', TWO_STAGES)
def test_proposals_are_ranked_as_before_when_the_head_is_masked(name, pair, other):
    """Class 0 is that by which MMDet ranks the proposals of two-stage Deformable DETR."""
    split = dict(retained=list('bcde'), forgotten=['a'])
    original, model = other(name, type='HeadMask', split=split)
    model.method.before_task(model.detector, None)
    batch = pair[0]['retain'], pair[1]['retain']
    (logits, boxes, places), after = (said(d, *batch) for d in (original, model.detector))
    assert torch.equal(boxes, after[1]) and torch.equal(places, after[2])
    assert torch.equal(logits[..., 1:], after[0][..., 1:])
    assert torch.allclose(after[0][..., 0].sigmoid(), torch.tensor(0.01).double())


def class_layers(detector):
    """The names of the layers that give the queries' logits, by detector."""
    if hasattr(detector.bbox_head, 'fc_cls'):
        return ['fc_cls']
    return ['cls_branches.0', 'cls_branches.1']  # two decoder layers; a third ranks proposals


ALL = ONE_STAGE + TWO_STAGES


@pytest.mark.parametrize('name', ALL)
def test_prototypes_are_rows_of_other_heads(name, pair, other):
    original, model = other(name, type='GSLoRAPlusPlus', prototype_forget=1.0,
                            prototype_retain=1.0, prototype_bound=9.0)
    found = values(model.loss(*copy.deepcopy(pair)))
    head, expected = original.eval().bbox_head, {}
    rows = head.get_submodule(class_layers(original)[-1]).weight
    for branch, labelled in pair[1].items():
        decoded = original.forward_transformer(original.extract_feat(pair[0][branch]), labelled)
        embeddings, (logits, boxes) = decoded['hidden_states'][-1], head(**decoded)
        labels = torch.stack(head.get_targets(
            list(logits[-1]), list(boxes[-1]), [s.gt_instances for s in labelled],
            [s.metainfo for s in labelled])[0])
        p = rows[labels[labels < 5]].double().softmax(-1)
        q = embeddings[labels < 5].double().softmax(-1)
        expected[branch] = (p * (p / q).log()).sum(-1).mean().item()
    assert found['forget_prototype_loss'] == pytest.approx(9 - expected['forget'], rel=1e-4)
    assert found['retain_prototype_loss'] == pytest.approx(expected['retain'], rel=1e-4)


@pytest.mark.parametrize('name', ALL)
def test_the_sink_is_one_more_row_of_other_heads(name, pair, other):
    """Random, the prior of a focal loss as its bias, as long as the others on average."""
    detector, model = other(name, type='LwF', relabel='sink')
    found = values(model.loss(*copy.deepcopy(pair)))
    head, layers = detector.bbox_head, class_layers(detector)
    row = torch.randn(1, 256, generator=torch.Generator().manual_seed(0))
    row *= head.get_submodule(layers[-1]).weight[:5].norm(dim=1).mean() / row.norm()
    for layer in map(head.get_submodule, layers):  # before the background, if there is one
        weight, bias = layer.weight.data, layer.bias.data
        layer.weight.data = torch.cat([weight[:5], row, weight[5:]])
        layer.bias.data = torch.cat([bias[:5], torch.tensor([-math.log(99)]), bias[5:]])
    head.cls_out_channels += 1
    head.num_classes = 6
    if not head.loss_cls.use_sigmoid:
        head.loss_cls.class_weight = torch.tensor([1.0] * 6 + [0.1])
    forget = pair[1]['forget']
    for sample in forget:
        sample.gt_instances.labels[:] = 5
    for key, value in own_loss(detector, pair[0]['forget'], forget).items():
        assert found[f'forget_{key}'] == pytest.approx(value, rel=1e-4)


@pytest.mark.parametrize('name', ALL)
def test_lirf_trains_what_is_below_other_transformers(name, pair, other):
    original, model = other(name, type='LIRF')
    assert {n for n, p in model.detector.named_parameters() if p.requires_grad} == {
        n for n, p in original.named_parameters()
        if p.requires_grad and n.startswith(('backbone.', 'neck.'))}
    losses = model.loss(*copy.deepcopy(pair))
    sum(losses.values()).backward()
    assert all(p.grad.isfinite().all() for p in model.parameters() if p.requires_grad)
    inputs, data_samples = pair
    expected = {f'forget_{k}': 0.9 * v for k, v in own_loss(
        original, inputs['forget'], samples([[], []])).items()}
    expected.update({f'retain_{k}': 5 * v for k, v in own_loss(
        original, inputs['retain'], data_samples['retain']).items()})
    expected.update(attention_loss=0, retain_kd_loss=0)  # of equal detectors
    assert values(losses) == pytest.approx(expected, rel=1e-4, abs=1e-4)


@pytest.mark.parametrize('name', ALL)
def test_head_mask_resets_one_row_of_other_heads(name, other):
    original, model = other(name, type='HeadMask')
    model.method.before_task(model.detector, None)
    expected = original.state_dict()
    for layer in class_layers(original):
        weight, bias = (expected[f'bbox_head.{layer}.{name}'] for name in ('weight', 'bias'))
        weight[4], bias[4] = 0, -math.log(99)
        if len(weight) == 6:  # a softmax: odds of 0.01 against the background
            weight[4], bias[4] = weight[5], bias[5] - math.log(99)
    found = model.detector.state_dict()
    assert set(found) == set(expected)
    assert all(torch.equal(value, expected[key]) for key, value in found.items())


@pytest.mark.parametrize('name, change, message', [
    ('ddq/ddq-detr-4scale_r50_8xb2-12e_coco', {},
     'DDQDETR cannot be unlearned: .*DETRReader misses queries that neither a text'),
    ('dab_detr/dab-detr_r50_8xb2-50e_coco', dict(classes=6),
     'num_classes is 6 and the data set names 5 classes')])
def test_detectors_that_cannot_be_unlearned_are_refused(name, change, message):
    with pytest.raises(ValueError, match=message):
        MODELS.build(dict(type='UnlearningDetector', detector=small(name, **change),
                          weights={}, method=dict(type='GSLoRA', classes=CLASSES, split=SPLIT)))
