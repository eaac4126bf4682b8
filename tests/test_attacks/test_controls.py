"""Which classes are a control."""

import shutil

import pytest
from mmengine.config import Config
from support import CHECKPOINT

from gslora_det.attacks import Material, NewHead
from gslora_det.attacks.controls import targets
from gslora_det.attacks.run import AttackRun
from gslora_det.engine.record import read_record, save_record
from gslora_det.engine.task_config import CONFIG
from gslora_det.files import read_json
from gslora_det.weights import read_weights


@pytest.fixture
def work_dir(finished, tmp_path):
    return shutil.copytree(finished, tmp_path / 'run')


def test_classes_without_validation_objects_are_no_control(work_dir):
    cfg = Config.fromfile(work_dir / CONFIG)
    shown = {name for task in read_record(work_dir)['tasks'] for name, ap in
             task['per_class'].items() if ap is not None}
    erased = read_record(work_dir)['request'][0]
    material = Material(cfg, erased)
    assert {material.classes[label] for label in material.known} == shown - {*erased}
    assert 0 < len(shown) < len(material.classes)
    weights = dict(material.detector(read_weights(str(CHECKPOINT))).state_dict())
    kept = targets(['retained classes'], material, weights, weights)['retained classes'].classes
    assert kept and {material.classes[label] for label in kept} <= shown


def test_shuffled_labels_are_those_of_the_unlearned(material, original, hidden):
    found = targets(['original', 'shuffled labels'], material, hidden.weights, original)
    assert {name: (target.weights is hidden.weights, target.shuffled)
            for name, target in found.items()} == {
        'unlearned': (True, False), 'original': (False, False), 'shuffled labels': (True, True)}
    assert found['shuffled labels'].classes == hidden.classes


def test_a_retained_control_has_something_to_train_on(
        work_dir, glyph80, trained_on, monkeypatch):
    """Of three classes one has no training image and another is missing."""
    record = read_record(work_dir)
    _, missing, kept = [
        name for name, ap in record['tasks'][0]['per_class'].items()
        if ap is not None and name not in record['request'][0]][:3]
    coco = read_json(glyph80 / 'annotations/train.json')
    ids = {each['name']: each['id'] for each in coco['categories']}
    used = {ids[name] for name in (missing, kept, *record['request'][0])}
    coco['annotations'] = [each for each in coco['annotations'] if each['category_id'] in used]
    cfg = trained_on(work_dir, coco)
    cfg.oracles = []
    material = Material(cfg, record['request'][0], [missing])
    assert [material.classes[label] for label in material.known] == [kept]

    record = read_record(work_dir)
    record['settings']['sequence']['missing'] = [missing, kept]
    save_record(work_dir, record)
    monkeypatch.setattr(NewHead, 'run', lambda *_, **__: [dict(x=1, AP_forgotten=0.0)])
    made = AttackRun(work_dir, cfg, ['new head'], [1]).run()['attacks']
    assert {entry['detector'] for entry in made} == {
        'unlearned', 'original', 'head mask', 'shuffled labels'}
