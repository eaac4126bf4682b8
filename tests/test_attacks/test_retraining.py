"""Training parts of a detector, against a loop written by hand."""

import copy
import random
from dataclasses import replace

import pytest
import torch

from gslora_det.attacks import DecoderAndHead, Everything, NewHead
from gslora_det.readers import DETRReader

CLASS_LAYERS = ('bbox_head.cls_branches.', )
AFTER_THE_ENCODER = ('decoder.', 'bbox_head.', 'query_embedding.', 'reference_points_fc.')


@pytest.fixture
def train(material, hidden, monkeypatch):
    """Trains two images a step; gives the curve and the last detector's weights."""
    def train(kind, indices, epochs, target=hidden):
        measured = []
        monkeypatch.setattr(kind, 'batch_size', 2)
        monkeypatch.setattr(material, 'measure', lambda detector, *_: measured.append(
            copy.deepcopy(detector.state_dict())) or {})
        return kind(material).train(target, indices, 1e-3, epochs), measured[-1]
    return train


@pytest.mark.parametrize('kind, trains', [
    (Everything, ('', )), (DecoderAndHead, AFTER_THE_ENCODER), (NewHead, CLASS_LAYERS)])
def test_what_is_promised_trains_and_no_statistics(material, hidden, train, kind, trains):
    before = material.detector(hidden.weights)
    _, after = train(kind, [0, 1], [1])
    assert {name for name, value in before.state_dict().items()
            if not torch.equal(value, after[name])} == {
        name for name, _ in before.named_parameters() if name.startswith(trains)}


def by_hand(detector, material, trains, aux_losses, clip):
    """Two epochs of AdamW on MMDet's own loss of images 0 to 3, two a step."""
    order, chance = [0, 1, 2, 3], random.Random(0)
    weights = [p.requires_grad_() for name, p in detector.named_parameters()
               if name.startswith(trains)]
    optimizer = torch.optim.AdamW(weights, lr=1e-3, weight_decay=1e-4)
    detector.training = True  # what DETR needs to make a loss
    for _ in range(2):
        chance.shuffle(order)
        for two in (order[:2], order[2:]):
            (images, samples), = material.batches(material.train, two, 2, detector)
            terms = detector.loss(images, samples)
            loss = sum(value for name, value in terms.items()
                       if aux_losses or not name.startswith('d'))
            for weight, grad in zip(weights, torch.autograd.grad(loss, weights)):
                weight.grad = grad
            norm = sum(weight.grad.square().sum() for weight in weights).sqrt()
            assert norm > 0.5  # what is clipped elsewhere
            for weight in weights:
                weight.grad *= min(1, clip / norm)
            optimizer.step()
    return detector.state_dict()


@pytest.mark.parametrize('kind, trains, aux_losses, clip', [
    (DecoderAndHead, AFTER_THE_ENCODER, True, 0.5), (NewHead, CLASS_LAYERS, False, 1e9)])
def test_steps_are_those_of_a_loop_by_hand(material, hidden, train, kind, trains, aux_losses,
                                           clip):
    curve, found = train(kind, [0, 1, 2, 3], (1, 2))
    assert curve == [dict(x=1), dict(x=2)]
    before = material.detector(hidden.weights).state_dict()
    expected = by_hand(material.detector(hidden.weights), material, trains, aux_losses, clip)
    wanted, difference = (
        torch.cat([(one[name] - other[name]).flatten() for name in before]).norm()
        for one, other in ((expected, before), (found, expected)))
    assert difference < 1e-3 * wanted


def test_shuffled_labels_are_erased_ones_and_stay_so(material, hidden, train, monkeypatch):
    """Objects of other classes keep theirs."""
    seen, losses = [], DETRReader.losses

    def look(reader, reading, *options):
        seen.extend((sample.img_id, sample.gt_instances.labels.tolist())
                    for sample in reading.samples)
        return losses(reader, reading, *options)

    monkeypatch.setattr(DETRReader, 'losses', look)
    indices = material.shots(hidden.classes, 2)
    train(NewHead, indices, [2], replace(hidden, shuffled=True))
    first, second = seen[:len(indices)], seen[len(indices):]
    assert dict(first) == dict(second) and len(indices) == len(second) > 4
    true = {info['img_id']: [each['bbox_label'] for each in info['instances']]
            for info in map(material.train.get_data_info, indices)}
    pairs = [pair for number, labels in first for pair in zip(true[number], labels)]
    assert any(label != given for label, given in pairs)
    for label, given in pairs:
        assert given in hidden.classes if label in hidden.classes else given == label
