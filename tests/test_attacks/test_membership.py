"""Losses of images that were trained on, and of new ones."""

import copy

import pytest
import torch

from gslora_det.attacks.membership import Membership
from gslora_det.readers import reader_of


def test_the_area_is_two_sided(material, hidden, monkeypatch):
    """Of nine pairs, the old image has the lower loss in eight."""
    losses = [1.0, 2.0, 3.0], [2.5, 4.0, 5.0]
    for old, new in (losses, losses[::-1]):
        queue = iter([old, new])
        monkeypatch.setattr(Membership, '_losses', lambda *_, queue=queue: next(queue))
        assert Membership(material).run(hidden) == [dict(x=0, AUC=88.89)]


@pytest.mark.parametrize('losses', [([], [1.0]), ([1.0], [])])
def test_one_side_alone_has_no_area(material, hidden, monkeypatch, losses):
    queue = iter(losses)
    monkeypatch.setattr(Membership, '_losses', lambda *_: next(queue))
    assert Membership(material).run(hidden) == []


def test_three_tenths_of_the_training_images_and_all_others(material, hidden, shown, monkeypatch):
    looked = []
    monkeypatch.setattr(Membership, '_losses', lambda *given: looked.append(given[3:5]) or [1.0])
    Membership(material).run(hidden)
    (old, drawn), (new, others) = looked
    erased = {material.classes[label] for label in hidden.classes}
    showing = {number for number, names in shown.items() if names & erased}
    ids = {old.get_data_info(i)['img_id'] for i in drawn}
    assert ids <= showing and len(drawn) == len(ids) == int(0.3 * len(showing)) > 5
    assert old is material.train and new is material.held_out and [*others] == [*range(12)]


def test_losses_are_those_of_mmdet_image_by_image(material, original):
    detector = material.detector(original)
    reader, prefix = reader_of(detector), material.prefix(detector)
    everything = range(len(material.classes))
    found = list(Membership(material)._losses(reader, prefix, material.held_out, range(4),
                                              everything))
    expected, detector.training = [], True  # what DETR needs to make a loss
    for images, shown in material.batches(material.held_out, range(4), 1, detector):
        if len(shown[0].gt_instances):
            terms = detector.loss(images, copy.deepcopy(shown))
            expected.append(float(terms['loss_cls'] + terms['loss_bbox'] + terms['loss_iou']))
    assert found == pytest.approx(expected, rel=1e-4)


def test_only_images_with_the_classes_count_and_other_objects_do_not(material, original):
    detector = material.detector(original)
    reader, prefix = reader_of(detector), material.prefix(detector)
    classes = [objects['bbox_label'] for objects in
               material.val.get_data_info(0)['instances']][:1]
    indices = range(len(material.held_out))
    losses = list(Membership(material)._losses(reader, prefix, material.held_out, indices,
                                               classes))
    showing = [i for i in indices if any(
        one['bbox_label'] in classes for one in material.val.get_data_info(i)['instances'])]
    assert len(losses) == len(showing) < len(indices)
    # What is said of the other objects is right, and yet no error.
    assert torch.tensor(losses).max() < 3
