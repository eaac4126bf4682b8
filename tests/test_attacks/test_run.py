"""The record of attacks: resumable, and of the detectors that it names."""

import json
import random
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from support import CHECKPOINT, ROOT, run_tool

import gslora_det
from gslora_det.attacks import NewHead
from gslora_det.attacks.run import FILE_NAME, AttackRun, attacks_named
from gslora_det.engine.record import read_record, save_record
from gslora_det.engine.task_config import CONFIG
from gslora_det.files import read_json, write_json
from gslora_det.registry import ATTACKS

ORACLE = ROOT / 'checkpoints/deformable-detr_r18_glyph80_without-10.pth'


@pytest.fixture
def work_dir(finished, tmp_path):
    return shutil.copytree(finished, tmp_path / 'run')


def attack(work_dir, attacks=('as it is', ), tasks=(1, ), cfg_options=None, **options):
    cfg = Config.fromfile(work_dir / CONFIG)
    cfg.merge_from_dict(cfg_options or {})
    options.setdefault('oracles', {1: str(ORACLE)})
    return AttackRun(work_dir, cfg, attacks, tasks, **options).run()


def found(record):
    return {(entry['task'], entry['attack'], entry['setting'], entry['detector']): entry
            for entry in record['attacks']}


def test_what_is_there_before_any_attack(work_dir):
    """Against the record of the sequence itself, and what head masking and an oracle are."""
    record = attack(work_dir)
    entries = found(record)
    assert {detector for *_, detector in entries} == {
        'unlearned', 'original', 'oracle', 'head mask'}
    points = {detector: entry['curve'][0] for (*_, detector), entry in entries.items()}
    task = read_json(work_dir / 'sequence.json')['tasks'][0]
    for role in ('retained', 'forgotten'):
        for name, metrics in (('unlearned', task['metrics']), ('original', task['original'])):
            assert points[name][f'AP_{role}'] == pytest.approx(
                100 * metrics[f'AP_{role}'], abs=0.006)
    assert points['head mask']['AP_forgotten'] == points['oracle']['AP_forgotten'] == 0
    assert points['head mask']['AP_retained'] == pytest.approx(
        points['original']['AP_retained'], abs=3)
    assert read_json(work_dir / FILE_NAME) == record


def test_what_was_made_is_not_made_again(work_dir, monkeypatch):
    attack(work_dir)
    (AsItIs, ) = attacks_named('as it is')  # one without a list
    monkeypatch.setattr(AsItIs, 'run', lambda *_, **__: pytest.fail('made again'))
    attack(work_dir)
    with pytest.raises(pytest.fail.Exception):
        attack(work_dir, tasks=(2, ))


def test_what_was_made_with_another_seed_is_kept(work_dir):
    attack(work_dir, seed=3, controls=False)
    made = (work_dir / FILE_NAME).read_bytes()
    with pytest.raises(ValueError, match='^.*/attacks.json was made with seed 3: give --seed 3, '
                                         'or move it away to attack with seed 0$'):
        attack(work_dir, attacks=['original head'])
    assert (work_dir / FILE_NAME).read_bytes() == made


def test_what_was_found_in_other_weights_does_not_count(work_dir):
    before = attack(work_dir)
    before['detectors']['oracle of task 1'] = 64 * '0'
    (work_dir / FILE_NAME).write_text(json.dumps(before))
    after = attack(work_dir, oracles={2: str(ORACLE)})
    assert len(found(after)) == 4  # task 1 has no oracle now: nothing of it is looked at
    assert attack(work_dir)['detectors']['oracle of task 1'] != 64 * '0'


def test_what_has_no_object_to_measure_by_is_left_out(work_dir, trained_on, glyph80, capsys):
    """All training objects of the erased classes are crowds."""
    coco = read_json(glyph80 / 'annotations/train.json')
    erased = read_record(work_dir)['request'][0]
    ids = {each['id'] for each in coco['categories'] if each['name'] in erased}
    for each in coco['annotations']:
        each['iscrowd'] = int(each['category_id'] in ids)
    cfg, names = trained_on(work_dir, coco), ('membership', 'probe')
    assert AttackRun(work_dir, cfg, names, [1], controls=False).run()['attacks'] == []
    said = capsys.readouterr().out
    for name in names:
        assert said.count(
            f'task 1: {name}: left out for lack of objects of an erased class in both the drawn '
            'training images and the validation images\n') == 1


def test_several_tasks_and_the_first_request_alone(work_dir):
    entries = found(attack(work_dir, tasks=(1, 2)))
    first, last = (entries[task, 'as it is', '', 'original']['curve'][0] for task in (1, 2))
    assert 'AP_first' not in first
    assert last['AP_first'] == first['AP_forgotten']
    assert (2, 'as it is', '', 'oracle') not in entries


def test_one_oracle_without_tasks_is_of_the_first(work_dir):
    entries = gslora_det.attack(work_dir, ['as it is'], oracles=[str(ORACLE)])
    assert {(entry['task'], entry['detector']) for entry in entries} == {
        (1, 'oracle'), *((task, name) for task in (1, 2)
                         for name in ('unlearned', 'original', 'head mask'))}


@pytest.mark.parametrize('tasks, oracles, said', [
    (None, 2, '2 given, for --tasks 1'), ([1, 2], 1, '1 given, for --tasks 1 2'),
    ([1], 2, '2 given, for --tasks 1'), ([1, 1], 2, '2 given, for --tasks 1 1')])
def test_no_oracle_is_left_out_silently(work_dir, tasks, oracles, said):
    with pytest.raises(ValueError, match=f'^--oracles: {said}: name each task once, and .*$'):
        gslora_det.attack(work_dir, ['as it is'], tasks, oracles * [str(ORACLE)])
    assert not (work_dir / FILE_NAME).exists()


def test_missing_classes_are_left_out_by_name_or_id(work_dir, glyph80):
    record = read_record(work_dir)
    per_class = record['tasks'][0]['per_class']
    kept = [name for name, ap in per_class.items()
            if ap is not None and name not in record['request'][0]]
    missing = [name for name in kept if per_class[name] > 0][:2]
    ids = {each['name']: each['id'] for each in
           read_json(glyph80 / 'annotations/train.json')['categories']}
    record['settings']['sequence']['missing'] = [missing[0], ids[missing[1]]]
    save_record(work_dir, record)
    expected = [per_class[name] for name in kept if name not in missing]
    entry = found(attack(work_dir, controls=False))[1, 'as it is', '', 'unlearned']
    assert entry['curve'][0]['AP_retained'] == pytest.approx(
        100 * sum(expected) / len(expected), abs=0.006)


def test_a_new_head_of_the_head_mask_comes_back(work_dir, monkeypatch):
    """The original's embeddings tell the classes, and nothing was taken from them."""
    monkeypatch.setattr(NewHead, 'settings', {'': dict(lr=1e-2, epochs=(6, ))})
    monkeypatch.setattr(NewHead, 'batch_size', 8)
    monkeypatch.setattr(NewHead, 'images', lambda *_: list(range(160)))
    monkeypatch.setattr(NewHead, 'controls', ('head mask', 'shuffled labels', 'retained classes'))
    entries = found(attack(work_dir, attacks=['new head']))
    recovered = {detector: entry['curve'][-1]['AP_forgotten']
                 for (*_, detector), entry in entries.items()}
    assert min(recovered['head mask'], recovered['retained classes']) > 40


def test_what_no_validation_image_shows_cannot_be_attacked(work_dir, tmp_path):
    record = read_record(work_dir)
    for task in record['tasks']:
        task['original']['AP_forgotten'] = None
    save_record(tmp_path, record)
    (tmp_path / CONFIG).write_text((work_dir / CONFIG).read_text())
    with pytest.raises(ValueError, match='task 1 of .* no validation image shows what was erased'):
        attack(tmp_path)
    assert not (tmp_path / FILE_NAME).exists()


@pytest.mark.parametrize('name', ['train', 'val'])
def test_other_annotations_are_refused(work_dir, tmp_path, name):
    dataset = Config.fromfile(work_dir / CONFIG)[f'{name}_dataloader'].dataset
    other = str(tmp_path / 'other.json')
    write_json(other, dict(read_json(Path(dataset.data_root, dataset.ann_file)), info={}))
    options = {f'{name}_dataloader.dataset.ann_file': other, 'val_evaluator.ann_file': None}
    with pytest.raises(ValueError, match=f'other.json is not what .* {name} annotations'):
        attack(work_dir, cfg_options=options)
    assert not (work_dir / FILE_NAME).exists()


def test_of_few_classes_labels_are_right_by_chance(work_dir):
    """Of one always; of three an attack finds half of what it can, and would be void by that."""
    def controls(record):
        return {each.detector for each in record._rounds()}

    cfg = Config.fromfile(work_dir / CONFIG)
    run = AttackRun(work_dir, cfg, ['new head'], [1], {1: str(ORACLE)})
    assert 'shuffled labels' in controls(run)
    for names in (['digit 2'], ['digit 2', 'digit 3', 'digit 4']):
        run.sequence['tasks'][0]['forgotten'] = names
        assert controls(run) == {'unlearned', 'original', 'oracle', 'head mask',
                                 'retained classes'}


@pytest.mark.parametrize('options, said', [
    (dict(attacks=['new hat']), "there is no 'new hat'"),
    (dict(tasks=[3]), '3 is none of the finished tasks 1 to 2'),
    (dict(oracles={1: 'nothing.pth'}), 'nothing.pth does not exist'),
    (dict(oracles={1: str(CHECKPOINT)}), 'knows the classes')])
def test_what_cannot_be(work_dir, options, said):
    with pytest.raises(ValueError, match=said):
        attack(work_dir, **options)
    assert not (work_dir / FILE_NAME).exists()


def test_a_merged_file_that_was_changed_is_refused(work_dir):
    (work_dir / 'task_1/merged.pth').write_bytes(b'')
    with pytest.raises(ValueError, match='not the file that was recorded'):
        attack(work_dir)


def test_the_tool_prints_a_table(work_dir):
    result = run_tool('tools/attack.py', work_dir, '--tasks', 1, '--attacks', 'as it is')
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    row, = (line for line in lines if line.split()[:2] == ['1', 'as'])
    task = json.loads((work_dir / 'sequence.json').read_text())['tasks'][0]
    unlearned, original = (f'{100 * task[key]["AP_forgotten"]:.1f}'
                           for key in ('metrics', 'original'))
    assert row.split()[-6:] == [unlearned, '0.0', '0.0', original, '—', '—']
    assert any(line.startswith('Attacks: ') for line in lines)


def test_every_attack_says_what_it_is():
    names = [kind.name for kind in ATTACKS.module_dict.values()]
    assert len({*names}) == len(names) >= 13
    for kind in ATTACKS.module_dict.values():
        assert kind.title and kind.settings and kind.__doc__
        assert {*kind.controls} <= {'original', 'oracle', 'head mask', 'shuffled labels',
                                    'retained classes'}


def test_what_is_quick_comes_first():
    kinds = attacks_named(None)
    assert {*kinds} == {*ATTACKS.module_dict.values()}
    assert kinds[0].name == 'as it is'
    assert [kind.trains for kind in kinds] == sorted(kind.trains for kind in kinds)


def test_every_attack_draws_by_the_seed(work_dir, monkeypatch):
    drawn = []

    def draw(*_):
        drawn.append((random.random(), np.random.rand(), torch.rand(()).item()))
        return [dict(x=0, AP_forgotten=0.0, AP_retained=0.0)]

    monkeypatch.setattr(attacks_named(['as it is'])[0], 'run', draw)
    attack(work_dir, seed=3)
    expected = (random.Random(3).random(), np.random.RandomState(3).rand(),
                torch.rand((), generator=torch.Generator().manual_seed(3)).item())
    assert drawn == 4 * [expected]
