import logging
import signal
from argparse import Namespace
from pathlib import Path

import pytest

from gslora_det.cli import load_config, run_tool


def load(path, **options):
    return load_config(Namespace(config=str(path), launcher='none', work_dir=None,
                                 cfg_options=options))


@pytest.mark.parametrize('text', [
    'a = ', 'a = b', 'a = 1 / 0', "_base_ = 'nowhere.py'", 'a = None\na.b = 1',
    "custom_imports = dict(imports=['nowhere'], allow_failed_imports=False)"])
def test_a_config_that_cannot_be_read_gives_one_line(tmp_path, text):
    path = tmp_path / 'config.py'
    path.write_text(text)
    with pytest.raises(ValueError, match=f'config {path} cannot be read: ') as error:
        load(path)
    assert '\n' not in str(error.value)


def test_options_that_do_not_fit_give_one_line(tmp_path):
    path = tmp_path / 'config.py'
    path.write_text('a = 1\nb = [1]')
    for options in ({'a.c': 2}, {'b.7': 2}):
        with pytest.raises(ValueError, match='--cfg-options do not fit'):
            load(path, **options)


def test_parts_of_a_list_can_be_set(tmp_path):
    path = tmp_path / 'config.py'
    path.write_text("backends = [dict(type='A')]")
    assert load(path, **{'backends.0.type': 'B'}).backends == [dict(type='B')]


def test_a_home_folder_is_found_wherever_a_config_names_it(tmp_path, monkeypatch):
    monkeypatch.setenv('HOME', '/home/me')
    path = tmp_path / 'config.py'
    path.write_text("a = '~/x'\nb = dict(c=['~/y', ('~/z', 1)], d='a~/b', e='~')")
    cfg = load(path, f='~/w')
    assert (cfg.a, cfg.f) == ('/home/me/x', '/home/me/w')
    assert cfg.b.to_dict() == dict(c=['/home/me/y', ('/home/me/z', 1)], d='a~/b', e='~')


@pytest.fixture
def own_handlers():
    """A tool sets them for good; the tests' process gets its own back."""
    kinds = (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)
    handlers = [signal.getsignal(kind) for kind in kinds]
    yield
    for kind, handler in zip(kinds, handlers):
        signal.signal(kind, handler)


@pytest.mark.parametrize('error, code, line', [
    (ValueError('no good'), 2, 'error: no good'),
    (OSError(28, 'cannot write a.json: No space left on device'), 2,
     'error: [Errno 28] cannot write a.json: No space left on device'),
])
def test_a_tool_that_fails_ends_with_one_line_and_a_code(
        error, code, line, own_handlers, capsys):
    def main():
        raise error

    with pytest.raises(SystemExit) as end:
        run_tool(main)
    assert end.value.code == code
    assert capsys.readouterr().err == line + '\n'


@pytest.mark.skipif(not Path('/dev/full').exists(), reason='no /dev/full')
def test_a_log_that_cannot_be_written_prints_no_traceback(monkeypatch, own_handlers, capsys):
    monkeypatch.setattr(logging, 'raiseExceptions', True)
    logger = logging.Logger('on a full disk')
    logger.addHandler(logging.FileHandler('/dev/full'))
    logger.error('first')
    assert 'No space left on device' in capsys.readouterr().err
    run_tool(lambda: logger.error('second'))
    assert capsys.readouterr().err == ''
