import hashlib
import shutil

import pytest
from support import CHECKPOINT

import gslora_det
from gslora_det.checks.doctor import diagnose
from gslora_det.checks.verification import verification
from gslora_det.checks.verification import verify as verify_and_keep
from gslora_det.engine.record import read_record, save_record, with_h
from gslora_det.engine.sequence import UnlearningSequence
from gslora_det.engine.verification_record import read_verification
from gslora_det.files import read_json, write_json


@pytest.fixture
def folder(finished, tmp_path):
    shutil.copytree(finished, tmp_path / 'run')
    return tmp_path / 'run'


@pytest.fixture
def verify(folder, capsys):
    """Verifies the folder; gives the lines that passed and those that failed."""
    def run(metrics=True, folder=folder):
        passed = diagnose(verification(folder, metrics))
        lines = [line for line in capsys.readouterr().out.splitlines()
                 if line.startswith(('PASS', 'FAIL'))]
        failed = [line for line in lines if line.startswith('FAIL')]
        assert passed == (not failed)
        return [line for line in lines if line not in failed], failed
    return run


def change(folder, part):
    record = read_json(folder / 'sequence.json')
    part(record)
    save_record(folder, record)


def test_an_honest_folder_passes_and_is_not_written_to(folder, verify):
    before = {p: p.stat().st_mtime_ns for p in folder.rglob('*')}
    passed, failed = verify()
    assert len(passed) == 3 + 2 * 3 + 1 + 3 and not failed
    assert 'AP_retained' in passed[-1] and 'AP_old' in passed[-1]
    assert {p: p.stat().st_mtime_ns for p in folder.rglob('*')} == before
    for name, path in {'original weights': CHECKPOINT, 'config': folder / 'config.py',
                       'task 1: adapter': folder / 'task_1/adapter.safetensors',
                       'task 2: merged': folder / 'task_2/merged.pth'}.items():
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        assert f'PASS  {name}: checked, sha256 {digest}' in passed
    assert len([line for line in passed if 'buffers: checked, ' in line]) == 2


def test_one_process_can_verify_what_several_did(folder, verify):
    change(folder, lambda record: record['settings'].update(processes=2))
    assert not verify()[1]
    change(folder, lambda record: record['settings']['randomness'].update(seed=5))
    assert 'randomness.seed 5, not' in str(verify()[1])


def test_what_differs_is_named(folder, verify):
    (folder / 'config.py').write_text((folder / 'config.py').read_text() + '\n')
    adapter = folder / 'task_1/adapter.safetensors'
    adapter.write_bytes(adapter.read_bytes()[:-1] + b'x')
    (folder / 'task_1/merged.pth').unlink()
    (folder / 'task_2/buffers.json').write_text('{"forget": [], "retain": []}')
    (folder / 'task_1/buffers.json').unlink()
    change(folder, lambda record: record['request'].append(['digit 2']))
    passed, failed = verify(metrics=False)
    assert len(passed) == 3 and len(failed) == 6
    for line, part in zip(failed, ('2 of 3', 'config.py', 'task_1/adapter', 'task_1/merged',
                                   'task_1/buffers', 'task_2/buffers')):
        assert part in line
    assert ['not checked' in line for line in failed] == [False, False, False, True, True, False]


def test_other_weights_than_the_original_are_found(folder, verify, tmp_path):
    other = tmp_path / 'other.pth'
    change(folder, lambda record: record['weights'].update(file=str(other)))
    _, (failed, ) = verify(metrics=False)
    assert failed == f'FAIL  original weights: not checked: {other} is not there'
    other.write_bytes(CHECKPOINT.read_bytes() + b'x')
    _, (failed, ) = verify(metrics=False)
    assert failed.startswith(f'FAIL  original weights: {other} is not the file that was recorded')


def test_a_sequence_after_another_is_measured_against_the_first_original(
        finished, config, tmp_path, verify):
    start = finished / 'task_2/merged.pth'
    cfg = config(tmp_path / 'later', load_from=str(start))
    cfg.sequence = dict(tasks=[['digit 2']], iters=2, pictures=0, forget=cfg.sequence.forget,
                        retain=cfg.sequence.retain)
    UnlearningSequence(cfg).run()
    passed, failed = verify(folder=tmp_path / 'later')
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (CHECKPOINT, start)]
    assert not failed
    assert f'PASS  original weights: checked, sha256 {digests[0]}' in passed
    assert f'PASS  weights at the start: checked, sha256 {digests[1]}' in passed
    assert [line for line in passed if line.startswith('PASS  original: metrics')]


def test_a_config_that_was_changed_is_not_run(folder, verify):
    (folder / 'config.py').write_text(f'import os; os.mkdir({str(folder / "canary")!r})')
    _, failed = verify()
    assert [line.split(':')[0] for line in failed] == ['FAIL  config']
    assert not (folder / 'canary').exists()


def test_metrics_that_were_not_measured_are_found(folder, verify):
    def flatter(record):
        first, second = record['tasks']
        first['metrics']['AP_forgotten'] -= 0.01
        second['original']['AP_retained'] -= 0.01
        second['per_class']['digit 2'] += 0.02
        record['original']['AP'] -= 0.01
        record['original']['splits'][1]['reference']['AP_old'] += 0.01

    change(folder, flatter)
    _, failed = verify()
    original, first, second = failed
    assert original.startswith('FAIL  original: metrics: AP is 0.')
    assert 'splits.1.reference.AP_old is 0.' in original
    assert first.startswith('FAIL  task 1: metrics: metrics.AP_forgotten is ')
    assert second.startswith('FAIL  task 2: metrics: original.AP_retained is 0.')
    assert 'per_class.digit 2 is ' in second


def test_h_is_the_harmonic_mean_of_what_is_kept_and_what_dropped():
    def split(retained, forgotten):
        return dict(AP_retained=retained, AP_forgotten=forgotten)

    found = with_h(dict(split(0.6, 0.1), reference=split(0.7, 0.6)),
                   dict(split(0.8, 0.5), reference=split(0.9, 0.6)))
    assert found['H'] == pytest.approx(2 * 0.6 * 0.4 / 1.0)
    assert found['H_max'] == pytest.approx(2 * 0.8 * 0.5 / 1.3)
    assert found['reference']['H'] == 0  # nothing dropped
    assert found['reference']['H_max'] == pytest.approx(2 * 0.9 * 0.6 / 1.5)


def test_attacks_are_of_the_sequences_own_weights(folder, verify):
    record = read_json(folder / 'sequence.json')
    entries = [dict(task=task, attack=attack, setting='', detector=detector, seed=0,
                    title='', x_title='', measures='AP_forgotten', chance=0.0,
                    finds_hidden=False, needs_original=False, curve=[])
               for task, attack, detector in (
                   (1, 'a', 'unlearned'), (1, 'a', 'original'), (1, 'b', 'unlearned'),
                   (2, 'a', 'unlearned'))]
    attacks = dict(format_version=1, attacks=entries, detectors={
        'original': record['weights']['sha256'],
        **{f'task {task["task"]}': task['merged']['sha256'] for task in record['tasks']}})

    def lines():
        write_json(folder / 'attacks.json', attacks)
        passed, failed = verify(metrics=False)
        return [line for line in (*passed, *failed) if ' attacks: ' in line]

    assert lines() == ['PASS  attacks: 3 attacks on tasks 1 and 2']
    attacks['attacks'] = entries[:3]
    assert lines() == ['PASS  attacks: 2 attacks on task 1']
    attacks['detectors']['task 1'] = 64 * '0'
    line, = lines()
    assert line.startswith('FAIL  attacks: ') and 'weights than the sequence (task 1)' in line
    attacks['attacks'] = None
    line, = lines()
    assert line.startswith('FAIL  attacks: ') and 'is no record of attacks' in line


def test_a_record_that_was_edited_is_refused(folder):
    path = folder / 'sequence.json'
    content = path.read_text('utf-8')
    path.write_text(content.replace('"AP_old": null', '"AP_old": 0.0', 1), 'utf-8')
    with pytest.raises(ValueError, match='sequence.json was changed after it was written'):
        next(verification(folder))
    write_json(path, {k: v for k, v in read_json(path).items() if k != 'sha256'})
    with pytest.raises(ValueError, match='sequence.json was changed after it was written'):
        next(verification(folder))


@pytest.mark.parametrize('key', ['filing', 'settings', 'runs'])
def test_a_record_of_an_earlier_package_gives_one_line(folder, key):
    record = read_json(folder / 'sequence.json')
    del record[key]
    save_record(folder, record)
    with pytest.raises(ValueError, match=f'sequence.json has no {key}: it was written by an ear'):
        next(verification(folder))


@pytest.mark.parametrize('content, message', [
    ('{"format_version": 2, "tasks": []}', 'has format version 2, this package reads 1'),
    ('[]', 'is no record of a sequence'), ('{', 'is not valid JSON')])
def test_records_that_are_not_read_give_one_line(tmp_path, content, message):
    (tmp_path / 'sequence.json').write_text(content)
    with pytest.raises(ValueError, match=message):
        next(verification(tmp_path))


def test_the_record_says_with_what_it_was_done(finished):
    run, = read_json(finished / 'sequence.json')['runs']
    assert run['seed'] == 0 and run['processes'] == 1 and len(run['code']['sha256']) == 64
    assert {'torch', 'mmdet', 'mmengine', 'mmcv', 'numpy'} <= set(run['packages'])
    assert run['started'] < run['finished']


def test_what_was_found_is_kept_for_the_report(folder, capsys):
    assert verify_and_keep(folder, metrics=False)
    lines = capsys.readouterr().out.splitlines()
    found = read_verification(folder, read_record(folder))
    assert [f'PASS  {check["name"]}: {check["found"]}' for check in found['checks']] == lines
    assert found['current'] and not found['metrics']
    assert found['code']['version'] == gslora_det.__version__
    adapter = folder / 'task_1/adapter.safetensors'
    adapter.write_bytes(adapter.read_bytes() + b'x')
    assert not verify_and_keep(folder, metrics=False)
    wrong = [check['name'] for check in read_verification(folder, read_record(folder))['checks']
             if not check['passed']]
    assert wrong == ['task 1: adapter']


def test_a_verification_of_another_state_is_told(folder):
    assert read_verification(folder, read_record(folder)) is None
    verify_and_keep(folder, metrics=False)
    change(folder, lambda record: record.update(name='another'))
    assert not read_verification(folder, read_record(folder))['current']
    verify_and_keep(folder, metrics=False)
    assert read_verification(folder, read_record(folder))['current']
    (folder / 'attacks.json').write_text('{}')
    assert not read_verification(folder, read_record(folder))['current']


@pytest.mark.parametrize('content', ['[]', '{"format_version": 2}', '{"format_version": 1}'])
def test_a_damaged_verification_is_refused(folder, content):
    (folder / 'verification.json').write_text(content)
    with pytest.raises(ValueError, match='verification.json is no verification that this package'):
        read_verification(folder, read_record(folder))
