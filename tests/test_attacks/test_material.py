"""What an attacker has."""

import copy
from types import SimpleNamespace

import pytest
import torch

from gslora_det.attacks import Membership, NewHead
from gslora_det.attacks.material import Material


def test_held_out_objects_lie_where_the_image_has_them(make_material):
    material = make_material()
    resize, = (step for step in material.train.pipeline.transforms
               if type(step).__name__ == 'Resize')
    resize.scale = (64, 64)
    try:
        sample, plain = material.held_out[0], material.val[0]
        assert sample['inputs'].shape[-2:] == (64, 64)
        torch.testing.assert_close(
            sample['data_samples'].gt_instances.bboxes.tensor * 2,
            plain['data_samples'].gt_instances.bboxes.tensor)
    finally:
        resize.scale = (128, 128)


def test_other_detections_can_be_measured(material, original, known):
    detector = material.detector(original)
    prefix = material.prefix(detector)

    def nothing(images, samples):
        for sample in detector.predict(images, samples):
            sample.pred_instances = sample.pred_instances[:0]
            yield sample

    measured = material.measure(detector, prefix, material.erased, nothing)
    assert measured == dict(AP_forgotten=0, AP_retained=0) and known['AP_retained'] > 50


def test_several_detectors_are_remembered_as_far_as_there_is_room(make_material, original):
    material: Material = make_material()
    detectors = [material.detector(original) for _ in range(3)]
    for number, detector in enumerate(detectors):
        detector.backbone.conv1.weight += number
    prefixes = [material.prefix(detector) for detector in detectors]
    for detector, prefix in zip(detectors, prefixes):
        list(material.found(detector, prefix))
    assert all(material.prefix(detector).seen is prefix.seen and len(prefix.seen) == 12
               for detector, prefix in zip(detectors, prefixes))
    material._limit = prefixes[0].size * 2.5
    for number in (0, 2):  # those that were asked for last stay
        assert material.prefix(detectors[number]).seen is prefixes[number].seen
    assert not material.prefix(detectors[1]).seen


def test_what_looks_different_each_time_is_not_remembered(config, tmp_path, original):
    cfg = config(tmp_path)
    cfg.train_dataloader.dataset.pipeline.insert(-1, dict(type='RandomFlip', prob=0.5))
    material = Material(cfg, ['digit 2'])
    detector = material.detector(original)
    prefix = material.prefix(detector)
    list(material.found(detector, prefix))
    assert prefix.links and not prefix.seen


def test_of_no_class_there_is_nothing_to_measure(material, original):
    detector = material.detector(original)
    everything = [*material.erased, *material.retained]
    found = material.measure(detector, material.prefix(detector), everything)
    assert found['AP_retained'] is None and found['AP_forgotten'] > 50


def test_images_may_be_drawn_without_some_classes(material, shown):
    erased = {material.classes[label] for label in material.erased}
    free = [number for number, names in shown.items() if names and not names & erased]
    assert 20 < len(free) < len(shown)
    for drawn, number in ((material.share(material.retained, 0.3, material.erased),
                           int(0.3 * len(free))),
                          (material.shots(material.retained, 999, material.erased), len(free))):
        ids = {material.train.get_data_info(i)['img_id'] for i in drawn}
        assert ids <= {*free} and len(ids) == number
    everything = range(len(material.classes))
    assert material.share(material.retained, 0.3, everything) == []


def test_what_a_data_set_ignores_are_crowds(make_material, original):
    material = make_material()
    data = material.train.prepare_data(0)
    data['data_samples'].ignored_instances = data['data_samples'].gt_instances[:1]
    (_, (sample, )), = material.batches(
        SimpleNamespace(prepare_data=lambda _: data), [0], 1, material.detector(original))
    assert sample.ignored_instances.labels.tolist() == [-1]
    assert (sample.gt_instances.labels >= 0).all()


def test_an_image_of_which_a_step_leaves_nothing_is_left_out(make_material, original):
    material: Material = make_material()
    detector = material.detector(original)
    for dataset in (material.held_out, material.val):
        dataset.pipeline = copy.copy(dataset.pipeline)
        dataset.pipeline.transforms = [
            lambda data: data if data['img_id'] % 3 == 1 else None,
            *dataset.pipeline.transforms]
    material.train.pipeline = material.held_out.pipeline
    for dataset in (material.held_out, material.train):
        ids = [dataset.get_data_info(i)['img_id'] for i in range(12)]
        seen = [sample.img_id for _, samples in material.batches(dataset, range(12), 2, detector)
                for sample in samples]
        assert seen == [number for number in ids if number % 3 == 1] and len(seen) == 4
    with pytest.raises(Exception, match='Test time'):  # what is measured must be there
        list(material.batches(material.val, range(12), 2, detector))


@pytest.mark.parametrize('kind', [NewHead, Membership])
def test_what_trains_or_has_a_loss_draws_by_the_seed(material, hidden, monkeypatch, kind):
    monkeypatch.setattr(material, '_seed', 3)
    monkeypatch.setattr(material, 'measure', lambda *_: {})
    monkeypatch.setattr(NewHead, 'images', lambda *_: [])
    monkeypatch.setattr(Membership, '_losses', lambda *_: [0.5])
    kind(material).run(hidden)
    assert torch.initial_seed() == 3
