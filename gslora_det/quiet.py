"""Keeping the libraries' chatter off the terminal; log files keep all of it."""

import contextlib
import logging
import os
import warnings
from collections.abc import Iterator

# Stays open: a logger that is made within `quiet` keeps writing to it.
_NOWHERE = open(os.devnull, 'w')  # noqa: SIM115


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Within the block, nothing is printed to standard output.

    A runner that is built within stays silent on the terminal for good, for its logger
    keeps the stream that it finds; its log file is complete. Errors are not touched.
    """
    with contextlib.redirect_stdout(_NOWHERE):
        yield


@contextlib.contextmanager
def hushed_logs() -> Iterator[None]:
    """Within the block, only warnings and errors are logged."""
    logging.disable(logging.INFO)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


def silence_warnings() -> None:
    """Hides the libraries' warnings that a user can do nothing about."""
    warnings.filterwarnings('ignore', category=DeprecationWarning)
    warnings.filterwarnings('ignore', category=FutureWarning)
    warnings.filterwarnings('ignore', message='.*pkg_resources.*')
    warnings.filterwarnings('ignore', message='torch.meshgrid')
    warnings.filterwarnings('ignore', message='Setting (OMP|MKL)_NUM_THREADS')
    warnings.filterwarnings('ignore', message='install "ipywidgets"')
