"""Linear classifiers of what layers make of objects."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from support import samples

from gslora_det.attacks.base import Target
from gslora_det.attacks.probe import Probe, layers, told_apart
from gslora_det.losses import ErasureMap
from gslora_det.readers import Batch, reader_of


def objects(number, seed=0):
    """Classes 0 to 3; 0 and 1 lie apart along directions of their own."""
    generator = np.random.default_rng(seed)
    labels = np.arange(number) % 4
    features = generator.normal(size=(number, 8))
    for label in (0, 1):
        features[labels == label, label] += 6
    return features.astype(np.float32), labels


def test_what_lies_apart_is_told_and_noise_is_not():
    train, test = objects(800), objects(800, seed=1)
    assert told_apart(*train, *test, [0])['AUC'] > 99
    assert told_apart(*train, *test, [0])['balanced_accuracy'] > 95
    noise = [(generator.normal(size=(800, 8)), labels) for generator, labels in (
        (np.random.default_rng(seed), np.arange(800) % 4) for seed in (2, 3))]
    found = told_apart(*noise[0], *noise[1], [0, 1])
    assert found['AUC'] == pytest.approx(50, abs=5)
    assert found['balanced_accuracy'] == pytest.approx(50, abs=5)


def test_linear_erasure_leaves_nothing_to_tell():
    features, labels = objects(800)
    erased = ErasureMap.of(torch.tensor(features), torch.tensor(labels[:, None] == [0, 1]))
    found = told_apart(erased(torch.tensor(features)).numpy(), labels,
                       *(erased(torch.tensor(objects(800, 1)[0])).numpy(), labels), [0, 1])
    assert found['AUC'] == pytest.approx(50, abs=7)


def test_area_and_accuracy_are_those_of_counting():
    """One feature: whatever it is scaled by, the order of scores is its own."""
    generator = np.random.default_rng(0)
    labels = np.repeat([7, 9], [30, 90])
    train = generator.normal(size=(120, 1)) + (labels == 7)[:, None]
    test = generator.normal(size=(120, 1)) + (labels == 7)[:, None]
    of, others = test[labels == 7, 0], test[labels == 9, 0]
    expected = 100 * np.mean(of[:, None] > others)
    assert told_apart(train, labels, test, labels, [7])['AUC'] == pytest.approx(expected, abs=.01)


def test_classes_that_are_not_shown_are_left_out():
    train, test = objects(400), objects(400, seed=1)
    assert told_apart(*train, *test, [0, 5]) == told_apart(*train, *test, [0])
    assert told_apart(*train, *test, [5]) == {}


def test_a_ramp_is_pooled_to_the_middle_of_a_box():
    level = torch.arange(16.0).expand(1, 1, 16, 16) * 4 + 2  # each cell's own place, stride 4
    sample, = samples([[2, 1]])
    sample.gt_instances.bboxes = torch.tensor([[8.0, 8, 24, 40], [21, 10, 50, 27]])
    (features, labels), = layers(SimpleNamespace(), Batch((level, ), [sample],
                                                          torch.zeros(1, 3, 64, 64)))
    torch.testing.assert_close(features[:, 0], torch.tensor([16.0, 35.5]))
    assert labels.tolist() == [2, 1]


def test_a_detr_gives_its_encoder_and_each_decoder_layer(material, original):
    detector = material.detector(original)
    reader = reader_of(detector)
    for images, found in material.batches(material.held_out, range(3), 3, detector):
        with torch.no_grad():
            given = layers(reader, Batch(reader.features(images), found, images))
            reading, = reader.read(Batch(reader.features(images), found, images))
    number = sum(len(sample.gt_instances) for sample in found)
    assert [len(labels) for _, labels in given] == [number] * 4
    features, labels = given[0]
    inputs, _ = detector.pre_transformer(reader.features(images), found)
    encoded = detector.forward_encoder(**inputs)
    (height, width), *_ = encoded['spatial_shapes'].tolist()
    finest = encoded['memory'][:, :height * width].reshape(len(found), height, width, -1)
    for each, (number, box) in zip(features, (
            (i, box) for i, sample in enumerate(found) for box in sample.gt_instances.bboxes)):
        left, top, right, bottom = (box / 128 * width).round().int().tolist()
        inside = finest[number, top:bottom, left:right].flatten(0, 1).mean(0)
        assert torch.cosine_similarity(each, inside, dim=0) > 0.85
    # A detector that knows: the class layer of the last layer names nearly all.
    features, labels = given[-1]
    named = reader.class_layers()[-1](features).argmax(1)
    assert (named == labels).float().mean() > 0.8
    assert torch.isin(features, reading.embeddings).all()


def test_trains_on_training_images_and_tests_on_others(material, hidden, monkeypatch):
    looked = []

    def features(_, reader, dataset, indices):
        looked.append((dataset, [*indices]))
        return [objects(400, seed=len(looked))]

    monkeypatch.setattr(Probe, '_features', features)
    monkeypatch.setattr(Probe, 'images', lambda *_: [3, 5])
    point, = Probe(material).run(Target('unlearned', hidden.weights, [0]))
    assert looked == [(material.train, [3, 5]), (material.held_out, [*range(12)])]
    assert point == dict(x=0, **told_apart(*objects(400, 1), *objects(400, 2), [0]))


def test_class_rows_do_not_matter(material, original, hidden):
    curves = [Probe(material).run(target) for target in (
        hidden, Target('original', original, hidden.classes))]
    assert curves[0] == curves[1] and [point['x'] for point in curves[0]] == [0, 1, 2, 3]
    assert curves[0][-1]['AUC'] > 80
