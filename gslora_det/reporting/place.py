"""Where a report may be written: never over what is not an earlier report of the same runs."""

import re
from collections.abc import Sequence
from pathlib import Path

from gslora_det.files import check_writable

GENERATOR = 'gslora_det report'
_MARK = re.compile(rf'<meta name="generator" content="{GENERATOR}">\s*'
                   r'<meta name="gslora-runs" content="([0-9a-f ]+)">')
_HEAD = 4096  # bytes in which the mark stands


def runs_of(path: Path) -> set[str]:
    """The ids of the runs that a file says it reports; empty if it is no report."""
    with open(path, 'rb') as file:
        found = _MARK.search(file.read(_HEAD).decode(errors='replace'))
    return set(found.group(1).split()) if found else set()


def check_place(path: Path, run_ids: Sequence[str]) -> None:
    """Refuses a place for a report, before the work for it begins.

    Args:
        path: The file to write.
        run_ids: Of the runs that it will report.

    Raises:
        ValueError: It cannot be written, or is there and no report of just these runs.
    """
    check_writable(path)
    if Path(path).exists() and runs_of(path) != set(run_ids):
        raise ValueError(f'{path} is there and not an earlier report of the same run: move it '
                         'away, or name another file with --out')
