"""Files that are whole or not there: atomic writes, hashes and locks."""

import contextlib
import fcntl
import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any, Iterator, Union

PathLike = Union[str, Path]

_DRAFT = '.draft-'  # in the names of temporary files


@contextlib.contextmanager
def atomic_write(path: PathLike) -> Iterator[Path]:
    """Gives a temporary file to write to, which then takes the place of ``path``.

    The temporary file lies in the same folder. It is flushed to disk before it is
    renamed; on any error it is removed and an earlier file stays as it was. The folder must
    be there: one that has vanished is not made again, without what else it held.

    Raises:
        OSError: The disk is full, or the folder is gone or read-only; it names ``path``.
    """
    path = Path(path)
    draft = None
    try:
        handle, name = tempfile.mkstemp(prefix=f'.{path.name}{_DRAFT}', dir=path.parent)
        os.close(handle)
        draft = Path(name)
        yield draft
        with open(draft, 'rb') as written:
            os.fsync(written.fileno())
        draft.chmod(0o644)
        draft.replace(path)
    except OSError as error:
        if error.errno is None:  # not the disk: a download's error, for example
            raise
        raise OSError(error.errno, f'cannot write {path}: {error.strerror}') from error
    finally:
        if draft is not None:
            with contextlib.suppress(OSError):
                draft.unlink()


def remove_drafts(folder: PathLike) -> None:
    """Removes what killed processes left of :func:`atomic_write` in a locked folder."""
    for draft in Path(folder).rglob(f'.*{_DRAFT}*'):
        draft.unlink()


def write_json(path: PathLike, content: Any) -> None:
    """Writes JSON atomically; NaN and infinity are refused."""
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
    with atomic_write(path) as draft:
        draft.write_text(text + '\n', 'utf-8')


def read_json(path: PathLike) -> Any:
    """Reads a JSON file.

    Raises:
        ValueError: It is missing or no JSON; one line says so.
    """
    try:
        return json.loads(Path(path).read_text('utf-8'))
    except FileNotFoundError:
        raise ValueError(f'{path} is missing') from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f'{path} is not valid JSON ({error}): restore or remove it'
                         ) from None


def sha256(path: PathLike) -> str:
    """The hexadecimal SHA-256 of a file."""
    digest = hashlib.sha256()
    with open(path, 'rb') as content:
        for block in iter(lambda: content.read(1 << 20), b''):
            digest.update(block)
    return digest.hexdigest()


@contextlib.contextmanager
def folder_lock(path: PathLike, blocking: bool = True) -> Iterator[None]:
    """Holds an exclusive lock on a lock file, against other processes.

    Args:
        path (str | Path): The lock file; made if it is not there.
        blocking (bool): Wait for the other process; otherwise refuse.

    Raises:
        ValueError: Another process holds the lock and ``blocking`` is False.
    """
    with open(path, 'a') as lock:
        try:
            # Not flock, which the data loader's orphans hold on to when a run is killed.
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            if not blocking:
                raise ValueError(f'another process works in {Path(path).parent}: wait for '
                                 'it, or set another --work-dir') from None
            print(f'waiting for another process that holds {path}')
            fcntl.lockf(lock, fcntl.LOCK_EX)
        yield
