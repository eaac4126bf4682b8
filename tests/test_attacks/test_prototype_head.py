"""Class rows made of mean embeddings."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from mmengine.config import Config
from sklearn.covariance import LedoitWolf
from support import CONFIGS, ROOT

from gslora_det.attacks import EarlierLayers, prototype_head
from gslora_det.attacks.controls import targets
from gslora_det.attacks.prototype_head import PrototypeHead, prototype_rows
from gslora_det.weights import read_weights


def planted(places=400, dim=6):
    """Classes 0 to 2 lie apart, those of 3 where there is no object (5); 4 is not shown."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(places) % 10
    labels[labels > 3] = 5
    centres = torch.zeros(6, dim)
    centres[:3, :3] = 4 * torch.eye(3)
    stretch = torch.linspace(0.5, 2, dim)
    embeddings = centres[labels] + torch.randn(places, dim, generator=generator) * stretch
    return embeddings, labels, torch.randn(places, 5, generator=generator)


def test_rows_are_those_of_a_formula():
    embeddings, labels, odds = planted()
    shown, weight, bias = prototype_rows(embeddings, labels, odds, [2, 4, 3], [0, 1])
    assert shown == [2, 3]
    x, y, z = embeddings.double().numpy(), labels.numpy(), odds.double().numpy()
    high = np.mean([z[i, y[i]] for i in range(len(y)) if y[i] in (0, 1)])
    low = np.mean([z[i, c] for i in range(len(y)) if y[i] not in (0, 1) for c in (0, 1)])
    inverse, mean = LedoitWolf().fit(x).get_precision(), x.mean(0)
    for row, offset, label in zip(weight.double().numpy(), bias.tolist(), shown):
        away = x[y == label].mean(0) - mean
        direction = inverse @ away
        expected = low + (high - low) * (x - mean) @ direction / (away @ direction)
        np.testing.assert_allclose(x @ row + offset, expected, atol=1e-4)
        assert row @ x[y == label].mean(0) + offset == pytest.approx(high, abs=1e-4)
        assert row @ mean + offset == pytest.approx(low, abs=1e-4)


def test_a_row_tells_its_class_where_the_class_lies_apart():
    embeddings, labels, odds = planted()
    # What known rows say: 2 of their own objects, -5 of all else.
    odds = torch.full_like(odds, -5.0)
    odds[labels < 2, labels[labels < 2]] = 2.0
    shown, weight, bias = prototype_rows(embeddings, labels, odds, [2, 3], [0, 1])
    apart, nowhere = (embeddings @ weight.T + bias).T
    middle = -1.5  # as near to the prototype as to the mean
    assert (apart[labels == 2] > middle).float().mean() > 0.95
    assert (apart[labels != 2] > middle).float().mean() < 0.05
    assert (nowhere[labels == 5] > middle).float().mean() > 0.2


def test_finds_what_is_hidden_and_not_what_is_gone(material, hidden, gone, known):
    curve = PrototypeHead(material).run(hidden, images=(1, 5))
    assert [point['x'] for point in curve] == [1, 5]
    assert curve[1]['AP_forgotten'] > 0.8 * known['AP_forgotten']
    assert curve[1]['AP_retained'] == pytest.approx(known['AP_retained'], abs=1)
    assert PrototypeHead(material).run(gone, images=(5, ))[0]['AP_forgotten'] < 1


def test_a_layer_earlier_needs_no_last_layer(material, hidden, known):
    detector = material.detector(hidden.weights)
    for weight in detector.decoder.layers[-1].parameters():
        weight.normal_(std=0.05)
    target = replace(hidden, weights=detector.state_dict())
    before = EarlierLayers(material).run(target)[-1]
    point, = PrototypeHead(material).run(target, images=(5, ), earlier=1)
    assert before['AP_forgotten'] == 0
    assert point['AP_forgotten'] > 0.8 * known['AP_forgotten']
    assert point['AP_retained'] == pytest.approx(before['AP_retained'], abs=1)


def test_rows_before_a_softmax(make_material):
    model = Config.fromfile(
        CONFIGS / '_base_/models/deformable-detr_r18_softmax_glyph80.py').model
    material = make_material(model)
    weights = read_weights(str(ROOT / 'checkpoints/deformable-detr_r18_softmax_glyph80.pth'))
    found = targets(['original', 'head mask'], material, weights, weights)
    before = material.detector(weights)
    known = material.measure(before, material.prefix(before), material.erased)
    point, = PrototypeHead(material).run(found['head mask'], images=(5, ))
    assert point['AP_forgotten'] > 0.5 * known['AP_forgotten']
    assert point['AP_retained'] == pytest.approx(known['AP_retained'], abs=1)


def test_rows_stay_where_nothing_is_shown_to_make_them_of():
    embeddings, labels, odds = planted()
    for wanted, known in (([4], [0, 1]), ([2], [4])):  # not shown: what is wanted; what is known
        found, weight, bias = prototype_rows(embeddings, labels, odds, wanted, known)
        assert found == [] and weight.shape == (0, 6) and bias.shape == (0, )


def test_a_detector_that_matches_nothing_is_measured_as_it_is(material, hidden, monkeypatch):
    monkeypatch.setattr(prototype_head, 'matched_by_boxes', lambda reader, reading: torch.full(
        reading.logits.shape[:2], reader.num_classes))
    seen = []
    monkeypatch.setattr(material, 'measure', lambda detector, *_: seen.append(detector) or {})
    assert PrototypeHead(material).run(hidden, images=(1, )) == [dict(x=1)]
    for name, value in seen[0].state_dict().items():
        assert torch.equal(value, hidden.weights[name]), name
