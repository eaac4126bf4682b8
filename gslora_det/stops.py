"""Ctrl-C and SIGTERM, to one process or to its whole group, end a tool with one line."""

import atexit
import multiprocessing
import os
import signal
import sys
from multiprocessing import util

from mmengine.dist import is_main_process
from torch.multiprocessing import _prctl_pr_set_pdeathsig
from torch.utils.data._utils import signal_handling

SECONDS = 10  # after which a stop that somebody has caught is repeated


class StopSignals:
    """Within the block, Ctrl-C and SIGTERM end the process, and its data loaders' workers.

    The first signal says the last words and raises KeyboardInterrupt, so that drafts and
    locks go. Whatever comes of that, the process ends at the end of the block, with exit code
    128 + signal. More signals do not disturb it. A signal that was ignored when the process
    started stays ignored, as by ``nohup``.

    Args:
        last_words (str): The line on standard error; nothing is said there after it.
    """

    def __init__(self, last_words: str) -> None:
        self.last_words = last_words
        self.process = os.getpid()
        self.number = None  # of the signal that came
        self.unwinds = True

    def __enter__(self) -> None:
        for kind in (signal.SIGINT, signal.SIGTERM):
            if signal.getsignal(kind) is not signal.SIG_IGN:
                signal.signal(kind, self._stop)
        signal.signal(signal.SIGALRM, self._interrupt)
        signal_handling._set_SIGCHLD_handler()  # the first data loader would do it later
        self.pytorch = signal.getsignal(signal.SIGCHLD)
        signal.signal(signal.SIGCHLD, self._worker_ended)
        util.register_after_fork(self, StopSignals._follow)
        util.get_temp_dir()  # shared by the workers: a killed one would leave its own behind

    def __exit__(self, *_) -> None:
        self.unwinds = False
        if self.number:
            try:
                self._kill_workers()
                atexit._run_exitfuncs()
            finally:
                self._end()
        signal.signal(signal.SIGCHLD, self.pytorch)

    def _stop(self, number, _) -> None:
        if self.number or os.getpid() != self.process:  # a worker leaves it to its process
            return
        self.number = number
        sys.unraisablehook = self._unraisable
        if is_main_process():
            os.write(2, f'{self.last_words}\n'.encode())
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        self._interrupt()

    def _interrupt(self, *_) -> None:
        if not self.unwinds:  # the tool is over, and Python shuts down
            self._end()
        signal.setitimer(signal.ITIMER_REAL, SECONDS)
        raise KeyboardInterrupt

    def _unraisable(self, unraisable) -> None:
        """Nothing can be raised in a ``__del__``, or while a worker is forked: soon, then."""
        if issubclass(unraisable.exc_type, KeyboardInterrupt):
            signal.setitimer(signal.ITIMER_REAL, 0.01)

    def _worker_ended(self, number, frame) -> None:
        """PyTorch's handler raises if a worker was killed, be it by the same stop."""
        try:
            self.pytorch(number, frame)
        except RuntimeError as error:
            if 'is killed by signal: Terminated' in str(error):
                self._stop(signal.SIGTERM, frame)
            elif not self.number:
                raise

    def _kill_workers(self) -> None:
        for worker in multiprocessing.active_children():
            worker.kill()
            worker.join(1)

    def _end(self) -> None:
        try:
            self._kill_workers()
            sys.stdout.flush()
        finally:
            os._exit(128 + self.number)

    def _follow(self) -> None:
        """In a new worker: it lives until the process that it works for ends it, or ends."""
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        _prctl_pr_set_pdeathsig(signal.SIGKILL)  # Linux; elsewhere it looks every five seconds
        if os.getppid() != multiprocessing.parent_process().pid:  # ended before that
            os._exit(1)
