import copy
import math

import pytest
import torch

import gslora_det  # noqa: F401

# isort: split
from mmdet.registry import MODELS
from support import CLASSES, SPLIT, samples

from gslora_det.lora import lora_disabled, lora_groups, plain_state_dict
from gslora_det.readers import Batch, reader_of
from gslora_det.registry import METHODS
from gslora_det.weights import load_weights, read_weights, save_weights


def mmdet_losses(tiny_config, weights, images, data_samples):
    """MMDet's own losses of the last decoder layer, from the plain detector."""
    detector = MODELS.build(copy.deepcopy(tiny_config))
    load_weights(detector, weights)
    losses = detector.train().loss(images, data_samples)
    return {k: v.item() for k, v in losses.items() if not k.startswith('d0')}


@pytest.fixture
def expected(tiny_config, tiny_weights, pair):
    # Batch norm in evaluation mode, as in the frozen detector.
    tiny_config.backbone.norm_eval = True
    inputs, data_samples = copy.deepcopy(pair)
    return {branch: mmdet_losses(tiny_config, tiny_weights, inputs[branch],
                                 data_samples[branch]) for branch in inputs}


def values(losses):
    return {key: value.item() for key, value in losses.items()}


def test_full_terms_are_mmdets_losses(build_unlearning, pair, expected):
    found = values(build_unlearning(beta=0.2, bound=15.0, alpha=0.0).train().loss(*pair))
    for key, value in expected['retain'].items():
        assert found[f'retain_{key}'] == pytest.approx(value, rel=1e-4)
    for key in ('loss_bbox', 'loss_iou'):
        assert found[f'forget_{key}'] == pytest.approx(0.2 * expected['forget'][key], rel=1e-4)
    assert found['forget_loss_cls'] == pytest.approx(
        0.2 * max(0, 15 - expected['forget']['loss_cls']), rel=1e-4)


def test_total_is_the_sum_of_the_paper(build_unlearning, pair, expected):
    model = build_unlearning(beta=0.2, alpha=0.01).train()
    total, _ = model.parse_losses(model.loss(*pair))
    retain, forget = expected['retain'], expected['forget']
    structure = sum(math.sqrt(sum((m.lora_A**2).sum().item() for m in g.layers.values()))
                    for g in lora_groups(model.detector))  # B is zero
    wanted = (sum(retain.values()) + 0.2 * (
        max(0, 15 - forget['loss_cls']) + forget['loss_bbox'] + forget['loss_iou'])
        + 0.01 * structure)
    assert total.item() == pytest.approx(wanted, rel=1e-4)


def positives(model, pair):
    """Logits of the matched pairs, with the matching of MMDet's assigner."""
    forget = model.extract(*pair)['forget']
    reading, = reader_of(model.detector).read(forget)
    head, found = model.detector.bbox_head, []
    for logits, boxes, sample in zip(reading.logits, reading.boxes, forget.data_samples):
        labels = head._get_targets_single(logits, boxes, sample.gt_instances,
                                          sample.metainfo)[0]
        found += [logits[q, c].item() for q, c in enumerate(labels.tolist()) if c < 5]
    return found


def test_positive_and_margin_terms_are_their_closed_forms(build_unlearning, pair):
    model = build_unlearning(beta=1.0, forget_term='positive').train()
    logits = positives(model, copy.deepcopy(pair))
    assert len(logits) == 3
    sigmoid = [1 / (1 + math.exp(-z)) for z in logits]
    focal = 2 * sum(0.25 * (1 - p)**2 * -math.log(p) for p in sigmoid) / 3
    found = values(model.loss(*copy.deepcopy(pair)))
    assert found['forget_loss_cls'] == pytest.approx(15 - focal, rel=1e-5)
    model = build_unlearning(beta=1.0, forget_term='margin', margin=4.0).train()
    found = values(model.loss(*copy.deepcopy(pair)))
    assert found['forget_loss_cls'] == pytest.approx(
        sum(max(0, z + 4) for z in logits) / 3, rel=1e-5)


def test_distillation_and_holding_are_zero_at_the_start_and_not_later(build_unlearning, pair):
    model = build_unlearning(distill=1.0, hold=1.0).train()
    start = values(model.loss(*copy.deepcopy(pair)))
    assert start['distill_loss_cls'] == pytest.approx(0, abs=1e-4)
    assert start['distill_loss_bbox'] == start['hold_loss'] == 0
    for group in lora_groups(model.detector):
        for layer in group.layers.values():
            torch.nn.init.normal_(layer.lora_B)
    later = values(model.loss(*copy.deepcopy(pair)))
    assert min(later['distill_loss_cls'], later['distill_loss_bbox'], later['hold_loss']) > 0


def test_what_is_kept_is_what_the_original_says_of_retained_classes(
        build_unlearning, tiny_config, tiny_weights, pair, tmp_path):
    """Where the original, the detector before the task and the one now all differ."""
    before = {k: v + 0.1 * torch.randn_like(v) if k.startswith('decoder') else v
              for k, v in read_weights(tiny_weights).items()}
    save_weights(before, tmp_path / 'before.pth', {})
    model = build_unlearning(weights=str(tmp_path / 'before.pth'), original=tiny_weights,
                             distill=0.7).train()
    for group in lora_groups(model.detector):
        for layer in group.layers.values():
            torch.nn.init.normal_(layer.lora_B)
    original = MODELS.build(copy.deepcopy(tiny_config)).eval()
    load_weights(original, tiny_weights)
    batches = list(model.extract(*copy.deepcopy(pair)).values())

    def said(detector):
        readings = reader_of(detector).read(*batches)
        return [torch.cat(values).detach().double() for values in (
            [r.logits[..., :3] for r in readings], [r.boxes for r in readings])]

    (logits, boxes), (kept, places) = said(model.detector), said(original)
    p, q = kept.sigmoid(), logits.sigmoid()
    divergence = (p * (p / q).log() + (1 - p) * ((1 - p) / (1 - q)).log()).sum()
    distance = ((boxes - places).abs().sum(-1) * p.amax(-1)).sum()
    found = values(model.loss(*copy.deepcopy(pair)))
    assert found['distill_loss_cls'] == pytest.approx(0.7 * divergence.item() / 5, rel=1e-3)
    assert found['distill_loss_bbox'] == pytest.approx(0.7 * distance.item() / 5, rel=1e-3)


def test_hold_is_against_the_detector_before_the_task(build_unlearning, pair):
    model = build_unlearning(hold=2.0).train()
    for group in lora_groups(model.detector):
        for layer in group.layers.values():
            torch.nn.init.normal_(layer.lora_B)
    batches = model.extract(*copy.deepcopy(pair)).values()
    reader = reader_of(model.detector)
    now = torch.cat([r.logits for r in reader.read(*batches)])
    with lora_disabled(lora_groups(model.detector)):
        before = torch.cat([r.logits for r in reader.read(*batches)])
    rise = (now - before)[..., CLASSES.index('d')].clamp(min=0)
    found = values(model.loss(*copy.deepcopy(pair)))['hold_loss']
    assert found == pytest.approx(2 * (rise**2).sum().item() / len(rise), rel=1e-4)


def test_first_task_needs_no_teacher(build_unlearning):
    first = build_unlearning(split=dict(SPLIT, old=[], retained=list('abcd')), distill=1.0,
                             hold=1.0)
    assert first.method.teacher is None and first.method.hold == 0
    assert build_unlearning(distill=1.0).method.teacher is not None


def test_auxiliary_losses_have_bounds_of_their_own(
        build_unlearning, tiny_config, tiny_weights, pair):
    tiny_config.backbone.norm_eval = True
    detector = MODELS.build(copy.deepcopy(tiny_config))
    load_weights(detector, tiny_weights)
    inputs, data_samples = copy.deepcopy(pair)
    losses = detector.train().loss(inputs['forget'], data_samples['forget'])
    found = values(build_unlearning(aux_losses=True, beta=0.2).train().loss(*pair))
    for layer in ('', 'd0.'):
        assert found[f'{layer}forget_loss_cls'] == pytest.approx(
            0.2 * (15 - losses[f'{layer}loss_cls'].item()), rel=1e-4)
    assert losses['loss_cls'] != losses['d0.loss_cls']


def test_teachers_have_no_dropout(build_unlearning, tiny_config, tiny_weights, pair):
    for coder in (tiny_config.encoder, tiny_config.decoder):
        coder.layer_cfg.ffn_cfg.ffn_drop = 0.5
    model = build_unlearning(original=tiny_weights, distill=1.0).train()
    forget = model.extract(*pair)['forget']
    for teacher in (model.method.before, model.method.teacher):
        said, again = teacher(forget), teacher(forget)
        assert torch.equal(said.logits, again.logits) and torch.equal(said.boxes, again.boxes)
    assert all(m.training for m in model.detector.modules()
               if isinstance(m, torch.nn.Dropout))
    one, other = (reader_of(model.detector).read(forget)[0].logits for _ in range(2))
    assert not torch.equal(one, other)


@torch.no_grad()
def untouched_logits(tiny_config, weights, images, data_samples):
    """Of the last decoder layer, by MMDet's own forward of the plain detector."""
    detector = MODELS.build(copy.deepcopy(tiny_config)).eval()
    load_weights(detector, weights)
    return detector._forward(images, data_samples)[0][-1]


def test_what_was_said_before_is_by_the_stem_as_it_was(
        build_unlearning, tiny_config, tiny_weights, pair):
    model = build_unlearning(targets=['neck.*'], hold=1.0).train()
    for group in lora_groups(model.detector):
        for layer in group.layers.values():
            torch.nn.init.normal_(layer.lora_B)
    batch = model.extract(*copy.deepcopy(pair))['forget']
    expected = untouched_logits(tiny_config, tiny_weights, *(part['forget'] for part in pair))
    now = reader_of(model.detector).read(batch)[0].logits
    assert not torch.allclose(now, expected, atol=1e-2)
    assert torch.allclose(model.method.before(batch).logits, expected, atol=1e-4)


def test_before_all_weights_trained_is_the_plain_detector_as_it_predicts(
        build_unlearning, tiny_config, tiny_weights, pair):
    """Without dropout, and by the statistics of its batch norms, which stay."""
    tiny_config.decoder.layer_cfg.ffn_cfg.ffn_drop = 0.5
    model = build_unlearning(type='AllWeights', hold=1.0).train()
    batch = model.extract(*copy.deepcopy(pair))['forget']
    expected = untouched_logits(tiny_config, tiny_weights, *(part['forget'] for part in pair))
    for _ in range(2):
        assert torch.allclose(model.method.before(batch).logits, expected, atol=1e-5)
    state, original = model.method.before.detector.state_dict(), read_weights(tiny_weights)
    assert all(torch.equal(state[key], value) for key, value in original.items())


def test_beta_can_be_one_a_task(build_unlearning):
    assert build_unlearning(beta=[0.1, 0.2, 0.3], task=2).method.beta == 0.2


def test_proximal_update_ends_in_exact_zeros(build_unlearning, pair):
    model = build_unlearning(update='proximal', alpha=1.0).train()
    assert 'loss_structure' not in model.loss(*copy.deepcopy(pair))
    groups = lora_groups(model.detector)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=0.01)

    def step():
        """As the optimiser leaves the groups, and as they are after the proximal step."""
        optimizer.zero_grad()
        losses = model.loss(*copy.deepcopy(pair))
        sum(value for key, value in losses.items() if 'loss' in key).backward()
        optimizer.step()
        found = [torch.cat([m.detach().flatten() for m in group.matrices()]) for group in groups]
        model.method.after_step(model.detector, lr=optimizer.param_groups[0]['lr'], progress=0.5)
        return zip(found, (torch.cat([m.flatten() for m in g.matrices()]) for g in groups))

    for _ in range(3):
        for before, after in step():
            assert torch.allclose(after, before * (1 - 0.01 / before.norm()), atol=1e-6)
            assert after.norm() > 0
    model.method.alpha = 1e6
    assert all(not after.any() and before.any() for before, after in step())


def test_ignored_objects_are_no_background(tiny_config, tiny_weights):
    detector = MODELS.build(copy.deepcopy(tiny_config))
    load_weights(detector, tiny_weights)
    image = torch.randn(1, 3, 64, 64)
    batch = Batch(detector.extract_feat(image), samples([[0]]), image)
    reader = reader_of(detector)
    reading, = reader.read(batch)
    plain = reader.losses(reading).terms
    everywhere = torch.tensor([[0.0, 0.0, 64.0, 64.0]])
    batch.data_samples[0].ignored_instances.bboxes = everywhere
    batch.data_samples[0].ignored_instances.labels = torch.zeros(1, dtype=torch.long)
    # Make every query cover the image: all but the matched one are on the ignored object.
    reading.boxes.data[:] = torch.tensor([0.5, 0.5, 1.0, 1.0])
    ignoring, matched = reader.losses(reading)
    matched = matched[''].odds
    p = matched.sigmoid()
    others = reading.logits[0].sigmoid()
    row = (reading.logits[0] == matched).any(1).nonzero()[0, 0]
    negative = [q.item() for c, q in enumerate(others[row]) if c != 0]
    wanted = 2 * (0.25 * (1 - p)**2 * -p.log()
                  + sum(0.75 * q**2 * -math.log(1 - q) for q in negative)).item()
    assert ignoring['loss_cls'].item() == pytest.approx(wanted, rel=1e-4)
    assert ignoring['loss_cls'] < plain['loss_cls']


@pytest.mark.parametrize('option, message', [
    (dict(forget_term='all'), "forget_term is 'all'"), (dict(norm='l1'), "norm is 'l1'"),
    (dict(update='sgd'), "update is 'sgd'"), (dict(rank=0), 'rank is 0'),
    (dict(targets=['enc.*']), "target 'enc")])
def test_unknown_options_give_one_line(build_unlearning, option, message):
    with pytest.raises(ValueError, match=message):
        build_unlearning(**option)


def test_unknown_methods_are_named():
    with pytest.raises(KeyError, match='GSLora'):
        METHODS.build(dict(type='GSLora'))


def test_teachers_have_no_dropout_in_a_stem_that_is_adapted(build_unlearning, pair):
    model = build_unlearning(targets=['neck.*'], hold=1.0).train()
    model.detector.backbone.register_forward_hook(lambda module, args, levels: tuple(
        torch.nn.functional.dropout(level, 0.5, module.training) for level in levels))
    batch = model.extract(*copy.deepcopy(pair))['retain']
    one, other = (model.method.before(batch) for _ in range(2))
    assert torch.equal(one.logits, other.logits)
    assert not torch.equal(batch.features[0], model.extract(*pair)['retain'].features[0])


@pytest.mark.parametrize('changed', ['neck.convs.0.conv.weight',
                                     'decoder.layers.0.norms.0.weight'])
def test_a_stem_that_was_changed_is_not_shared(build_unlearning, tiny_weights, tmp_path, changed):
    """As by an earlier request whose LoRA was in it: the student keeps its own."""
    original = read_weights(tiny_weights)
    save_weights(dict(original, **{changed: 2 * original[changed] + 1}), tmp_path / 'now.pth', {})
    model = build_unlearning(weights=str(tmp_path / 'now.pth'), original=tiny_weights, distill=1.0)
    now, found = read_weights(tmp_path / 'now.pth'), plain_state_dict(model.detector)
    assert all(torch.equal(value, now[key]) for key, value in found.items())
    teacher = model.method.teacher
    assert all(torch.equal(v, original[k]) for k, v in teacher.detector.state_dict().items())
    assert teacher.share_stem == (not changed.startswith('neck'))
