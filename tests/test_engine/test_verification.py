import shutil

import pytest

from gslora_det.engine.doctor import diagnose
from gslora_det.engine.record import save_record
from gslora_det.engine.verification import verification
from gslora_det.files import read_json, write_json


@pytest.fixture
def folder(finished, tmp_path):
    shutil.copytree(finished, tmp_path / 'run')
    return tmp_path / 'run'


@pytest.fixture
def verify(folder, capsys):
    """Verifies the folder; gives the lines that passed and those that failed."""
    def run(metrics=True):
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


def test_what_differs_is_named(folder, verify):
    (folder / 'config.py').write_text((folder / 'config.py').read_text() + '\n')
    adapter = folder / 'task_1/adapter.safetensors'
    adapter.write_bytes(adapter.read_bytes()[:-1] + b'x')
    (folder / 'task_1/merged.pth').unlink()
    (folder / 'task_2/buffers.json').write_text('{"forget": [], "retain": []}')
    change(folder, lambda record: record['request'].append(['digit 2']))
    passed, failed = verify(metrics=False)
    assert len(passed) == 4 and len(failed) == 5
    for line, part in zip(failed, ('2 of 3', 'config.py', 'task_1/adapter', 'task_1/merged',
                                   'task_2/buffers')):
        assert part in line


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
    assert 'per_class.digit 2 is 0.' in second


def test_a_record_that_was_edited_is_refused(folder):
    path = folder / 'sequence.json'
    content = path.read_text('utf-8')
    path.write_text(content.replace('"AP_old": null', '"AP_old": 0.0', 1), 'utf-8')
    with pytest.raises(ValueError, match='sequence.json was changed after it was written'):
        next(verification(folder))
    record = {k: v for k, v in read_json(path).items() if k != 'sha256'}
    write_json(path, record)  # as earlier versions did
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
