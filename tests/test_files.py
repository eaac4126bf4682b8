import hashlib
import os
import signal
import time

import pytest
import torch
from mmengine.runner import save_checkpoint
from support import fork, full_disk

from gslora_det.files import (
    atomic_write,
    folder_lock,
    read_json,
    remove_drafts,
    sha256,
    write_json,
)
from gslora_det.weights import install_atomic_writer, save_adapter, save_weights


def test_an_error_keeps_the_old_file_and_leaves_no_draft(tmp_path):
    path = tmp_path / 'record.json'
    write_json(path, {'a': 1})
    with pytest.raises(RuntimeError), atomic_write(path) as draft:
        draft.write_text('half')
        raise RuntimeError
    assert read_json(path) == {'a': 1}
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize('write', [
    lambda path: write_json(path, 'x' * 2000),
    lambda path: save_weights({'w': torch.ones(10_000)}, path, {}),
    lambda path: save_adapter({'w.lora_A': torch.ones(10_000)}, path, {}),
    lambda path: save_checkpoint({'w': torch.ones(10_000)}, str(path)),
])
def test_a_full_disk_keeps_the_old_file_and_names_it(tmp_path, write):
    install_atomic_writer()
    path = tmp_path / 'artefact'
    path.write_text('old')
    with pytest.raises(OSError, match=f'cannot write {path}: ') as error, full_disk(1000):
        write(path)
    assert '\n' not in str(error.value)
    assert [p.read_text() for p in tmp_path.iterdir()] == ['old']


@pytest.mark.parametrize('folder', ['/proc', '/dev/null', '/dev/shm/vanished'])
def test_a_folder_that_takes_no_files_is_named(folder):
    with pytest.raises(OSError, match=f'cannot write {folder}/a.json: '):
        write_json(f'{folder}/a.json', {})


def test_a_child_does_not_keep_the_lock_of_a_killed_process(tmp_path):
    reading, writing = os.pipe()

    def killed():
        with folder_lock(tmp_path / 'lock'):
            child = os.fork()
            if not child:
                time.sleep(60)
            os.write(writing, str(child).encode())
            os.kill(os.getpid(), signal.SIGKILL)

    fork(killed).join()
    child = int(os.read(reading, 20))
    with folder_lock(tmp_path / 'lock', blocking=False):
        os.kill(child, signal.SIGKILL)


def test_drafts_of_killed_processes_are_removed(tmp_path):
    (tmp_path / 'task_1').mkdir()

    def killed():
        with atomic_write(tmp_path / 'task_1/a.json'):
            os.kill(os.getpid(), signal.SIGKILL)

    fork(killed).join()
    (tmp_path / 'task_1/b.json').write_text('{}')
    assert len(list((tmp_path / 'task_1').iterdir())) == 2
    remove_drafts(tmp_path)
    assert [p.name for p in (tmp_path / 'task_1').iterdir()] == ['b.json']


def test_nan_is_refused_and_the_old_file_stays(tmp_path):
    write_json(tmp_path / 'a.json', {'a': 1})
    with pytest.raises(ValueError):
        write_json(tmp_path / 'a.json', {'a': float('nan')})
    assert read_json(tmp_path / 'a.json') == {'a': 1}


def test_broken_and_missing_json_give_one_line(tmp_path):
    (tmp_path / 'broken.json').write_text('{"a": ')
    with pytest.raises(ValueError, match='broken.json is not valid JSON'):
        read_json(tmp_path / 'broken.json')
    with pytest.raises(ValueError, match='absent.json is missing'):
        read_json(tmp_path / 'absent.json')


def test_sha256(tmp_path):
    (tmp_path / 'file').write_bytes(b'x' * 3_000_000)
    assert sha256(tmp_path / 'file') == hashlib.sha256(b'x' * 3_000_000).hexdigest()


def test_a_second_process_is_refused(tmp_path, capfd):
    def other():
        with folder_lock(tmp_path / 'lock', blocking=False):
            print('got it', flush=True)

    with folder_lock(tmp_path / 'lock'):
        second = fork(other)
        second.join()
    assert second.exitcode and 'another process works in' in capfd.readouterr().err
    fork(other).join()
    assert capfd.readouterr().out.strip() == 'got it'
