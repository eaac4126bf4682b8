"""Where a checkpoint is: a path, a file that the package brings, or a URL, downloaded once."""

import hashlib
import http.client
import os
import re
import sys
from pathlib import Path
from urllib.parse import urlparse

import torch

from gslora_det.files import BROUGHT, atomic_write, folder_lock
from gslora_det.weights.unpickling import CheckpointError


def _is_url(source: str | Path) -> bool:
    return re.match('https?://', str(source)) is not None


def local_path(source: str | Path) -> Path:
    """Where the file behind a path or URL is, or would be after its download.

    Where there is no file of that path, it may name one that the package brings, such as
    ``checkpoints/deformable-detr_r18_glyph80.pth``.
    """
    if not _is_url(source):
        path = Path(source).expanduser()
        brought = BROUGHT / path
        return path if path.exists() or not brought.is_file() else brought
    name = urlparse(str(source)).path.rpartition('/')[2]
    if not _digest_in(name):  # other runs have an epoch_12.pth, too
        name = f'{hashlib.sha256(str(source).encode()).hexdigest()[:8]}_{name}'
    return Path(torch.hub.get_dir()) / 'checkpoints' / name


def _digest_in(name: str) -> str | None:
    """The begin of the SHA-256 that a published file has in its name."""
    found = re.search(r'-([0-9a-f]{8,})\.', name)
    return found and found.group(1)


def fetch(source: str | Path) -> Path:
    """The file behind a path or URL; a URL is downloaded once, by one process at a time.

    Raises:
        CheckpointError: It cannot be downloaded.
    """
    path = local_path(source)
    if _is_url(source) and not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with folder_lock(path.parent / f'.{path.name}.lock'):
            if not path.exists():
                _download(str(source), path)
    return path


def exists(source: str | Path) -> bool:
    """Whether there is a file, or a URL that may be downloaded."""
    return isinstance(source, (str, Path)) and (_is_url(source) or local_path(source).is_file())


def check_exists(source: str | Path) -> None:
    """Refuses a path to nothing, before any work.

    Raises:
        CheckpointError: There is no such file.
    """
    if not exists(source):
        raise CheckpointError(f'checkpoint {source} does not exist')


def _download(url: str, path: Path) -> None:
    try:
        with atomic_write(path) as draft:
            torch.hub.download_url_to_file(url, str(draft), _digest_in(path.name),
                                           progress=sys.stderr.isatty())
    except (OSError, RuntimeError, ValueError, http.client.HTTPException) as error:
        raise CheckpointError(f'{url} could not be downloaded ({error}): fetch it by '
                              f'hand and put it at {path}') from None


def last_checkpoint(folder: Path) -> str | None:
    """The newest checkpoint that a run has written to its folder."""
    found = sorted((path for kind in ('iter', 'epoch') for path in folder.glob(f'{kind}_*.pth')),
                   key=os.path.getmtime)
    return str(found[-1]) if found else None
