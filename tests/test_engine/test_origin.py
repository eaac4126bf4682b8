"""A later sequence is measured against the detector before any erasure."""

import shutil

import pytest
import torch
from support import CHECKPOINT

from gslora_det.checks.verification import verification
from gslora_det.engine.origin import split_means
from gslora_det.engine.record import save_record
from gslora_det.engine.sequence import UnlearningSequence
from gslora_det.files import read_json, sha256
from gslora_det.methods import HeadMask
from gslora_det.registry import METHODS
from gslora_det.weights import read_meta, read_weights, save_weights


@pytest.fixture
def later(config, tmp_path):
    """A sequence of one task that starts from merged weights."""
    def build(weights, original=None, **options):
        cfg = config(tmp_path / 'later', **{
            'load_from': str(weights), 'sequence.tasks': [['Latin A']], 'sequence.pictures': 0,
            **options})
        for key in ('order', 'num_tasks', 'classes_per_task'):
            del cfg.sequence[key]
        if original:
            cfg.sequence.original = str(original)
        return UnlearningSequence(cfg)
    return build


@pytest.fixture
def earlier(finished, tmp_path):
    shutil.copytree(finished, tmp_path / 'earlier')
    return tmp_path / 'earlier'


def test_it_is_measured_and_recorded_with_the_first_original(later, finished, tmp_path):
    sequence = later(finished / 'task_2/merged.pth')
    first = read_json(finished / 'sequence.json')
    record = sequence.run()
    assert record['weights']['sha256'] == sha256(finished / 'task_2/merged.pth')
    assert record['original_weights']['sha256'] == sha256(CHECKPOINT)
    assert record['original']['per_class'] == first['original']['per_class']
    names = [name for task in first['request'] for name in task]
    assert record['erased_before'] == names and len(names) == 20
    task, = record['tasks']
    before = [first['original']['per_class'][name] for name in names]
    before = [ap for ap in before if ap is not None]
    assert task['original']['AP_old'] == pytest.approx(sum(before) / len(before))
    assert read_meta(tmp_path / 'later/task_1/merged.pth')['original'] == sha256(CHECKPOINT)
    lines = {name: check for name, check in verification(tmp_path / 'later', metrics=False)}
    assert sha256(CHECKPOINT) in lines['original weights']()


class Taught(HeadMask):
    """Has a teacher."""

    def prepare(self, detector, original_detector):
        Taught.state = original_detector().state_dict()


def test_teachers_are_the_first_original_where_it_is_there(later, earlier, tmp_path, monkeypatch):
    monkeypatch.setitem(METHODS.module_dict, 'Taught', Taught)
    merged = earlier / 'task_2/merged.pth'

    def same_as(weights):
        return all(torch.equal(value, Taught.state[name])
                   for name, value in read_weights(weights).items())

    later(merged, method=dict(_delete_=True, type='Taught'))
    assert same_as(CHECKPOINT) and not same_as(merged)
    record = read_json(earlier / 'sequence.json')
    record['weights']['file'] = str(tmp_path / 'gone.pth')
    save_record(earlier, record)
    later(merged, method=dict(_delete_=True, type='Taught'))
    assert same_as(merged)


def test_without_the_original_weights_the_record_of_its_classes_counts(
        later, earlier, finished, tmp_path):
    record = read_json(earlier / 'sequence.json')
    record['weights']['file'] = str(tmp_path / 'gone.pth')
    save_record(earlier, record)
    found = later(earlier / 'task_2/merged.pth').record
    measured = later(finished / 'task_2/merged.pth')
    measured.run()
    measured = measured.record['original']
    assert found['original']['AP'] == measured['AP']
    for role in ('retained', 'forgotten', 'old'):
        # COCO's AP of many classes is the mean of theirs.
        assert found['original']['splits'][0][f'AP_{role}'] == pytest.approx(
            measured['splits'][0][f'AP_{role}'], abs=1e-9)


def test_where_nothing_tells_the_original_it_is_asked_for(later, earlier, finished, tmp_path):
    moved = tmp_path / 'moved.pth'
    shutil.copy(earlier / 'task_2/merged.pth', moved)
    wanted = sha256(CHECKPOINT)[:12]
    with pytest.raises(ValueError, match=f'moved.pth has forgotten 20 classes .*{wanted}'):
        later(moved)
    for original in (CHECKPOINT, finished, finished / 'sequence.json'):
        assert later(moved, original).record['original_weights']['sha256'] == sha256(CHECKPOINT)
    save_weights(read_weights(CHECKPOINT), tmp_path / 'other.pth', {})
    with pytest.raises(ValueError, match=f'other.pth has sha256 .* made from weights of {wanted}'):
        later(moved, tmp_path / 'other.pth')
    assert not (tmp_path / 'later').exists()


def test_weights_from_which_nothing_was_erased_are_their_own_original(later, tmp_path):
    plain = later(CHECKPOINT)
    copied = shutil.copy(CHECKPOINT, tmp_path / 'copy.pth')
    for original in (CHECKPOINT, copied):
        record = later(CHECKPOINT, original).record
        assert record['original'] is None and 'original_weights' not in record
        assert record['weights'] == plain.record['weights']
    save_weights(read_weights(CHECKPOINT), tmp_path / 'other.pth', {})
    for name, message in (('other.pth', 'has another sha256 than .* leave sequence.original out'),
                          ('gone.pth', 'does not exist')):
        with pytest.raises(ValueError, match=f'^sequence.original: .*{name} {message}$'):
            later(CHECKPOINT, tmp_path / name)
    assert not (tmp_path / 'later').exists()


def test_means_leave_out_what_was_not_measured(finished):
    class Split:
        retained, forgotten, old, missing = 'ab', 'c', 'd', ''

    found = split_means(dict(a=0.5, b=None, c=0.25, d=None), Split)
    assert [found[f'AP_{name}'] for name in ('retained', 'forgotten', 'old', 'missing')] == [
        0.5, 0.25, None, None]
