import hashlib
import subprocess
import sys

import pytest

from gslora_det.files import atomic_write, folder_lock, read_json, sha256, write_json


def test_an_error_keeps_the_old_file_and_leaves_no_draft(tmp_path):
    path = tmp_path / 'record.json'
    write_json(path, {'a': 1})
    with pytest.raises(RuntimeError), atomic_write(path) as draft:
        draft.write_text('half')
        raise RuntimeError
    assert read_json(path) == {'a': 1}
    assert list(tmp_path.iterdir()) == [path]


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


def test_a_second_process_is_refused(tmp_path):
    code = ('from gslora_det.files import folder_lock\n'
            f'with folder_lock(r"{tmp_path / "lock"}", blocking=False): print("got it")')
    with folder_lock(tmp_path / 'lock'):
        second = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert second.returncode != 0 and 'another process works in' in second.stderr
    third = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert third.stdout.strip() == 'got it'
