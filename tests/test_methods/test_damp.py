"""DAMP's closed forms, and that they are what it does to a detector."""

import copy

import numpy as np
import pytest
import torch
from support import samples
from torch import nn

from gslora_det.methods.damp import forget_directions, project_out_, separability


def images(branch, number):
    labels = dict(forget=[[4], [4, 4]], retain=[[0, 1], [2, 0]])[branch]
    torch.manual_seed(dict(forget=3, retain=4)[branch])
    return zip(torch.randn(2, 3, 64, 64), samples(labels))


def test_directions_are_what_the_retained_prototypes_do_not_span():
    retained, forgotten = torch.randn(4, 10).double(), torch.randn(2, 10).double()
    found = forget_directions(forgotten, retained)
    assert torch.allclose(found.T @ found, torch.eye(2).double())
    assert (retained @ found).abs().max() < 1e-10
    for prototype in forgotten.numpy():
        fit = np.linalg.lstsq(retained.numpy().T, prototype, rcond=None)[0]
        residual = torch.from_numpy(prototype - fit @ retained.numpy())
        assert torch.allclose(found @ (found.T @ residual), residual)  # within their span


@pytest.mark.parametrize('forgotten, number', [
    ([[1.0, 2.0, 0.0, 0.0]], 0), ([[0.0, 0.0, 1.0, 0.0], [1.0, 0.0, 2.0, 0.0]], 1)])
def test_directions_that_are_not_there_or_there_twice(forgotten, number):
    retained = torch.eye(4)[:2].double()
    assert forget_directions(torch.tensor(forgotten).double(), retained).shape == (4, number)


def test_a_span_leaves_out_the_retained_prototypes_small_directions():
    retained = torch.diag(torch.tensor([3.0, 2.0, 1.0])).double()  # of squares, 9, 4 and 1 in 14
    forgotten = torch.ones(1, 3).double()
    for span, left in ((13 / 14 + 0.01, 0), (13 / 14 - 0.01, 1), (9 / 14 - 0.01, 2)):
        found = forget_directions(forgotten, retained, span)
        expected = torch.tensor([0.0] * (3 - left) + [left**-0.5] * left) if left else None
        assert found.shape == (3, min(left, 1))
        assert not left or torch.allclose(found[:, 0].abs(), expected.double())


def test_the_weights_lose_the_forgotten_directions_alone():
    retained, forgotten = torch.randn(4, 10).double(), torch.randn(2, 10).double()
    weight = torch.randn(3, 10).double()
    directions = forget_directions(forgotten, retained)
    edited, half = weight.clone(), weight.clone()
    project_out_(edited, directions, 1.0)
    assert (edited @ directions).abs().max() < 1e-10
    assert torch.allclose(edited @ retained.T, weight @ retained.T)
    project_out_(half, directions, 0.5)
    assert torch.allclose(half, (weight + edited) / 2)


def test_separability_is_the_probes_accuracy_on_inputs_that_it_never_saw():
    """Against probes that are fitted anew without each input."""
    generator = np.random.default_rng(0)
    inputs = generator.normal(size=(40, 3))
    forgotten = np.arange(40) < 12
    inputs[forgotten] += 0.8
    target = np.where(forgotten, 1.0, -1.0)
    weights = np.where(forgotten, 0.5 / 12, 0.5 / 28)
    centred = inputs - weights @ inputs
    design = np.c_[centred, np.full(40, np.sqrt((centred**2).mean()))]
    gram = design.T @ (weights[:, None] * design)
    penalty = 1e-3 * np.trace(gram) / 4 * np.eye(4)
    right = []
    for i in range(40):
        rest = np.arange(40) != i
        x, w = design[rest], weights[rest]
        fit = np.linalg.solve(x.T @ (w[:, None] * x) + penalty, x.T @ (w * target[rest]))
        right.append(design[i] @ fit * target[i] > 0)
    right = np.array(right)
    expected = right[forgotten].mean() + right[~forgotten].mean() - 1
    assert 0.2 < expected < 0.95
    assert separability(torch.from_numpy(inputs), torch.from_numpy(forgotten)) == pytest.approx(
        expected)


def test_separability_of_one_kind_and_of_far_apart_ones():
    inputs = torch.cat([torch.randn(9, 4) + 50, torch.randn(7, 4) - 50]).double()
    assert separability(inputs, torch.arange(16) < 9) == 1
    assert separability(inputs, torch.ones(16, dtype=torch.bool)) == 0


def test_what_a_probe_gets_wrong_each_time_is_not_separable():
    """Alternating corners: without one of them, a plane puts it on the wrong side."""
    corners = torch.tensor([[0, 0], [1, 1], [0, 1], [1, 0]]).double()
    assert separability(corners, torch.arange(4) < 2) == 0


@torch.no_grad()
def inputs_at_objects(detector):
    """Classes and what each layer is given, by MMDet's own forward and hooks."""
    layers = [m for layer in detector.decoder.layers for m in layer.ffn.layers.modules()
              if isinstance(m, nn.Linear)] + [detector.bbox_head.cls_branches[-1]]
    labels, inputs = [], [[] for _ in layers]
    for branch in ('forget', 'retain'):
        for image, sample in images(branch, 2):
            notes = [[] for _ in layers]
            handles = [layer.register_forward_pre_hook(lambda _, args, n=note: n.append(args[0]))
                       for layer, note in zip(layers, notes)]
            decoded = detector.forward_transformer(detector.extract_feat(image[None]), [sample])
            logits, boxes = detector.bbox_head(**decoded)
            for handle in handles:
                handle.remove()
            matched, = detector.bbox_head.get_targets(
                [logits[-1, 0]], [boxes[-1, 0]], [sample.gt_instances], [sample.metainfo])[0]
            labels.append(matched[matched < 5])
            for seen, note in zip(inputs, notes):
                seen.append(note[-1][0][matched < 5].double())
    return layers, torch.cat(labels), [torch.cat(each) for each in inputs]


@pytest.mark.parametrize('scaling', ['uniform', 'depth'])
def test_every_layer_is_edited_by_its_own_directions(build_unlearning, scaling):
    model = build_unlearning(type='DAMP', scaling=scaling, strength=0.5).eval()
    before = copy.deepcopy(model.detector).eval()
    layers, labels, inputs = inputs_at_objects(before)
    edited = {name: p.clone() for name, p in model.detector.named_parameters()}
    model.method.before_task(model.detector, images)
    assert len(labels) == 7 and len(layers) == 5
    names = {m: f'{n}.weight' for n, m in before.named_modules()}
    after = dict(model.detector.named_parameters())
    for depth, (layer, given) in enumerate(zip(layers, inputs), 1):
        forgotten = given[labels == 4].mean(0)
        retained = torch.stack([given[labels == c].mean(0) for c in (0, 1, 2)])
        q = torch.linalg.qr(torch.cat([retained, forgotten[None]]).T).Q[:, -1]
        share = 0.5
        if scaling == 'depth':
            share *= separability(given, labels == 4) * depth / 5
        w = layer.weight.double()
        expected = w - share * torch.outer(w @ q, q)
        assert torch.allclose(after[names[layer]].double(), expected, atol=1e-6)
        edited.pop(names[layer])
    assert all(torch.equal(after[name], value) for name, value in edited.items())


def test_without_forgotten_objects_nothing_changes(build_unlearning):
    model = build_unlearning(type='DAMP', scaling='uniform').eval()
    before = copy.deepcopy(model.detector.state_dict())
    model.method.before_task(model.detector, lambda branch, number: images('retain', number))
    after = model.detector.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())


def test_without_retained_objects_the_whole_mean_is_taken_out(build_unlearning):
    model = build_unlearning(type='DAMP', scaling='uniform').eval()
    before = copy.deepcopy(model.detector).eval()
    layers, labels, inputs = inputs_at_objects(before)
    model.method.before_task(model.detector, lambda branch, number: (
        images(branch, number) if branch == 'forget' else ()))
    names = {m: n for n, m in before.named_modules()}
    for layer, given in zip(layers, inputs):
        mean = given[labels == 4].mean(0)
        found = model.detector.get_submodule(names[layer]).weight.double()
        assert (found @ mean).norm() < 1e-5 * (layer.weight.double() @ mean).norm()
