"""A step asks each frozen detector once, and only for what has a weight."""

import copy

import pytest
import torch
from support import samples

from gslora_det.methods import teacher

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
        lambda _, args, kwargs: counts.append(len(kwargs['query'])), with_kwargs=True)
    return counts


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
    for number, sample in enumerate(sum(pair[1].values(), [])):
        sample.set_metainfo(dict(img_id=number))
    found = []
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
