"""A step asks each frozen detector once, and only for what has a weight."""

import copy

import pytest
import torch
from support import samples

from gslora_det.methods import teacher
from gslora_det.weights import read_weights, save_weights

FIRST = dict(forgotten=['e'], retained=list('abcd'), old=[])
LATER = dict(forgotten=['e'], retained=list('abc'), old=['d'])
LINEAR = dict(type='LinearErasure', targets=['decoder.layers.1.ffn.*'])


def started(build_unlearning, **options):
    torch.manual_seed(0)
    model = build_unlearning(**options).train()
    if options.get('type') == 'LinearErasure':
        torch.manual_seed(1)
        shown = dict(forget=samples([[4], [4, 4]]), retain=samples([[0, 1], [2]]))
        model.method.before_task(model.detector, lambda branch, number: zip(
            torch.randn(2, 3, 64, 64), shown[branch]))
    return model


def passes(module):
    """The images of each call."""
    counts = []
    module.register_forward_pre_hook(
        lambda _, args, kwargs: counts.append(len((*args, *kwargs.values())[0])),
        with_kwargs=True)
    return counts


def names_of(pair):
    """Images as a data set gives them."""
    inputs, data_samples = copy.deepcopy(pair)
    for number, sample in enumerate(sum(data_samples.values(), [])):
        sample.set_metainfo(dict(img_id=number, img_path=f'{number}.png'))
    return inputs, data_samples


@pytest.mark.parametrize('split, options, by_own, by_original', [
    (FIRST, dict(), 1, 0),
    (FIRST, dict(hold=1.0), 1, 0),  # nothing was erased before
    (FIRST, dict(distill=1.0), 2, 0),  # the original is the detector before the task
    (FIRST, dict(LINEAR), 2, 0),
    (FIRST, dict(LINEAR, distill=1.0), 2, 0),
    (FIRST, dict(LINEAR, erase=0.0), 1, 0),
    (LATER, dict(hold=1.0), 2, 0),
    (LATER, dict(distill=1.0), 1, 1),
    (LATER, dict(LINEAR, hold=1.0), 2, 0),
    (LATER, dict(LINEAR, distill=1.0), 2, 1),
    (LATER, dict(LINEAR, distill=1.0, hold=1.0), 2, 1),
    (LATER, dict(LINEAR, distill=1.0, erase=0.0), 1, 1)])
def test_each_teacher_runs_once_over_all_images(build_unlearning, tiny_weights, pair, split,
                                                options, by_own, by_original):
    model = started(build_unlearning, split=split, original=tiny_weights, **options)
    own = passes(model.detector.encoder)
    by_teacher = []
    if model.method.teacher:
        by_teacher = passes(model.method.teacher.detector.encoder)
    for _ in range(2):
        model.loss(*copy.deepcopy(pair))
    assert own == [5] * 2 * by_own and by_teacher == [5] * 2 * by_original


class AskedAnew(teacher.Step):
    """As before there was a memory of the step."""

    def said_by(self, frozen):
        self._said.clear()
        return super().said_by(frozen)


@pytest.mark.parametrize('cache', [False, True])
def test_losses_and_gradients_are_the_same_to_the_last_bit(
        build_unlearning, tiny_weights, pair, monkeypatch, cache):
    pair, found = names_of(pair), []
    for step in (teacher.Step, AskedAnew):
        monkeypatch.setattr('gslora_det.methods.gs_lora.Step', step)
        model = started(build_unlearning, split=LATER, original=tiny_weights, distill=1.0,
                        hold=1.0, cache_teachers=cache, **LINEAR)
        terms = model.loss(*copy.deepcopy(pair))
        sum(term for name, term in terms.items() if 'loss' in name).backward()
        found.append({**terms, **{name: p.grad for name, p in model.named_parameters()
                                  if p.grad is not None}})
    assert found[0].keys() == found[1].keys() >= {'distill_loss_cls', 'hold_loss', 'erase_loss'}
    assert all(torch.equal(found[0][name], found[1][name]) for name in found[0])


@pytest.mark.parametrize('split, changed, by_teacher', [
    (FIRST, None, 0), (LATER, None, 0), (LATER, 'encoder.layers.0.norms.0.weight', 2)])
def test_where_nothing_is_kept_what_is_frozen_runs_once_a_step(
        build_unlearning, tiny_weights, tmp_path, pair, split, changed, by_teacher):
    """Detector and teachers share it, where their weights are the same."""
    original, found = read_weights(tiny_weights), []
    if changed:
        original[changed] = 2 * original[changed] + 1
    save_weights(original, tmp_path / 'original.pth', {})
    for shares in (False, True):
        model = started(build_unlearning, split=split, distill=1.0,
                        original=str(tmp_path / 'original.pth'), **LINEAR)
        if shares:
            model.remember({}, 0)
        own, others = passes(model.detector.encoder.layers[0]), []
        if model.method.teacher:
            others = passes(model.method.teacher.detector.encoder.layers[0])
        terms = [model.loss(*names_of((inputs, pair[1])))
                 for inputs in (pair[0], {name: -part for name, part in pair[0].items()})]
        sum(term for each in terms for name, term in each.items() if 'loss' in name).backward()
        found.append({**terms[0], **{name: p.grad for name, p in model.named_parameters()
                                     if p.grad is not None}})
        later = [5] * 2 * (split is LATER)
        assert (own, others) == (([5] * 2, [5] * by_teacher) if shares else ([5] * 4, later))
        assert not vars(model.detector).get('prefix') or not model.detector.prefix.seen
    assert all(torch.equal(found[0][name], found[1][name]) for name in found[0])
