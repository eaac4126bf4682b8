"""Ctrl-C and SIGTERM end a run with one line; nothing of it stays alive."""

import atexit
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from support import ROOT, fork, running_tool

from gslora_det import stops
from gslora_det.process import run_tool

CODES = {signal.SIGTERM: 143, signal.SIGINT: 130}
every_stop = pytest.mark.parametrize('kind, whole_group', [
    (kind, whole_group) for kind in CODES for whole_group in (False, True)])

pytestmark = pytest.mark.skipif(not Path('/proc/self/stat').exists(), reason='no /proc')


def members(group):
    """The living processes of a group."""
    found = []
    for path in Path('/proc').glob('[0-9]*/stat'):
        try:
            state, _, its_group = path.read_text().rpartition(')')[2].split()[:3]
        except OSError:  # it has ended by now
            continue
        if int(its_group) == group and state != 'Z':
            found.append(int(path.parent.name))
    return found


def wait_until(condition, alive):
    while not condition():
        assert alive()
        time.sleep(0.005)


def stop(process, kind, whole_group):
    # Ctrl-C reaches all processes of a terminal; a scheduler signals the first alone.
    (os.killpg if whole_group else os.kill)(process.pid, kind)


def assert_gone(group):
    tries = iter(range(100, -1, -1))  # a second or two: orphans look every five seconds
    wait_until(lambda: not members(group), lambda: next(tries))


def arguments(data, work_dir, **options):
    options = {'train_dataloader.num_workers': 1, 'sequence.iters': 1000,
               'sequence.checkpoint_interval': 1, 'sequence.retain.batch_size': 2,
               'sequence.forget.batch_size': 2,
               'val_evaluator.ann_file': f'{data}/annotations/val.json',
               **{f'{split}_dataloader.dataset.data_root': data
                  for split in ('train', 'val', 'test')}, **options}
    return ['tools/train.py', 'configs/glyph80/ddetr_forget_80-1.py', '--work-dir', work_dir,
            '--cfg-options', *(f'{key}={value}' for key, value in options.items())]


def assert_stops(command, moment, kind, whole_group):
    """Runs a tool up to the moment, and stops it."""
    with running_tool(*command) as (process, _, errors):
        wait_until(lambda: moment(process.pid), process.is_alive)
        errors.read()  # what it warned of before
        stop(process, kind, whole_group)
        process.join(60)
        assert process.exitcode == CODES[kind]
        assert errors.read() == 'stopped: the same command with --resume continues\n'
        assert_gone(process.pid)


@every_stop
def test_a_stop_in_the_steps(glyph80, tmp_path, kind, whole_group):
    command = arguments(glyph80, tmp_path, **{
        'train_dataloader.persistent_workers': whole_group})
    assert_stops(command, lambda _: [*tmp_path.rglob('iter_*.pth')], kind, whole_group)


@pytest.mark.parametrize('kind', CODES)
def test_a_stop_while_the_workers_of_an_evaluation_start(glyph80, tmp_path, kind):
    command = arguments(glyph80, tmp_path, **{'val_dataloader.num_workers': 2})
    assert_stops(command, lambda pid: len(members(pid)) > 1, kind, whole_group=True)


@pytest.mark.parametrize('kind', CODES)
def test_a_stop_while_glyph80_is_drawn(tmp_path, kind):
    data = tmp_path / 'glyph80'
    assert_stops(arguments(data, tmp_path / 'run'), lambda _: [*tmp_path.glob('.*.draft-*/*')],
                 kind, whole_group=True)
    assert not data.exists() and not [*tmp_path.glob('.*.draft-*')]


def importing(folder, **options):
    """A tool in a new process, called from another folder, in the midst of importing torch."""
    (folder / 'config.py').touch()
    process = subprocess.Popen(
        [sys.executable, ROOT / 'tools/train.py', 'config.py'], cwd=folder, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        env=dict(os.environ, PYTHONPATH=str(ROOT)), **options)
    maps = Path(f'/proc/{process.pid}/maps')
    wait_until(lambda: 'libtorch' in maps.read_text(), lambda: process.poll() is None)
    return process


@every_stop
def test_a_stop_while_packages_are_imported(tmp_path, kind, whole_group):
    process = importing(tmp_path, preexec_fn=lambda: signal.signal(
        signal.SIGINT, signal.default_int_handler))
    stop(process, kind, whole_group)
    assert process.communicate(timeout=60) == ('', 'stopped\n')
    assert process.returncode == CODES[kind]
    assert_gone(process.pid)


def test_a_signal_that_is_ignored_stays_so_while_packages_are_imported(tmp_path):
    process = importing(
        tmp_path, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=60) == ('', 'stopped\n')
    assert process.returncode == 143


def end_of(main, capfd):
    """Exit code and errors of a tool in a fork of this process, where Ctrl-C is not ignored."""
    def tool():
        signal.signal(signal.SIGINT, signal.default_int_handler)
        atexit._clear()  # pytest removes old folders at its end
        run_tool(main)

    process = fork(tool)
    process.join(20)
    return process.exitcode, capfd.readouterr().err


def stop_this(kind=signal.SIGTERM):
    os.kill(os.getpid(), kind)


def test_more_signals_do_not_disturb_the_end(tmp_path, capfd):
    def main():
        try:
            stop_this(signal.SIGINT)
        finally:
            stop_this(signal.SIGTERM)
            stop_this(signal.SIGINT)
            (tmp_path / 'tidied').touch()

    assert end_of(main, capfd) == (130, 'stopped\n')
    assert (tmp_path / 'tidied').exists()


def test_an_error_that_follows_a_stop_is_not_said(capfd):
    def main():
        try:
            stop_this()
        finally:
            raise ValueError('half done')

    assert end_of(main, capfd) == (143, 'stopped\n')


def test_a_stop_that_is_caught_is_repeated(monkeypatch, capfd):
    def main():
        try:
            stop_this()
        except BaseException:
            time.sleep(60)

    monkeypatch.setattr(stops, 'SECONDS', 0.05)
    assert end_of(main, capfd) == (143, 'stopped\n')


def test_a_stop_where_nothing_can_be_raised(monkeypatch, capfd):
    class Closes:
        def __del__(self):
            stop_this()

    def main():
        Closes()
        time.sleep(60)

    monkeypatch.setattr(stops, 'SECONDS', 60)
    assert end_of(main, capfd) == (143, 'stopped\n')


def test_a_stop_after_the_end_of_the_tool(capfd):
    def tool():
        run_tool(lambda: None)
        stop_this()

    process = fork(tool)
    process.join(60)
    assert (process.exitcode, capfd.readouterr().err) == (143, 'stopped\n')


def test_a_stop_that_reaches_a_worker_first(capfd):
    def main():
        loader = torch.utils.data.DataLoader(range(10 ** 6), num_workers=1)
        for _ in loader:
            worker, = multiprocessing.active_children()
            subprocess.run(['kill', str(worker.pid)])
            time.sleep(60)

    assert end_of(main, capfd) == (143, 'stopped\n')


def test_a_worker_leaves_ctrl_c_to_its_process_and_can_be_terminated(capfd):
    def main():
        context = multiprocessing.get_context('fork')
        runs = context.Event()

        def work():
            stop_this(signal.SIGINT)
            runs.set()
            time.sleep(60)

        worker = context.Process(target=work)
        worker.start()
        assert runs.wait(20)
        worker.terminate()
        worker.join()
        assert worker.exitcode == -signal.SIGTERM

    assert end_of(main, capfd) == (0, '')


def test_a_process_that_has_just_been_forked_says_nothing(capfd):
    def main():
        child = os.fork()
        if not child:
            stop_this()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0

    assert end_of(main, capfd) == (0, '')


def test_workers_do_not_outlive_a_killed_process():
    def main():
        loader = torch.utils.data.DataLoader(range(10 ** 6), num_workers=2)
        for _ in loader:
            stop_this(signal.SIGKILL)

    def tool():
        os.setsid()
        run_tool(main)

    process = fork(tool)
    process.join(60)
    assert_gone(process.pid)
