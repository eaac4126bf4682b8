"""Keeping the libraries' chatter off the terminal; log files keep all of it."""

import contextlib
import os
import warnings
from typing import Iterator

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


def silence_warnings() -> None:
    """Hides the libraries' warnings that a user can do nothing about."""
    warnings.filterwarnings('ignore', category=DeprecationWarning)
    warnings.filterwarnings('ignore', category=FutureWarning)
    warnings.filterwarnings('ignore', message='.*pkg_resources.*')
    warnings.filterwarnings('ignore', message='torch.meshgrid')
    warnings.filterwarnings('ignore', message='install "ipywidgets"')
