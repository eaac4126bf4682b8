import logging
import signal
from pathlib import Path

import pytest

from gslora_det.process import run_tool


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
