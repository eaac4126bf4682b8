"""Files that are whole or not there: atomic writes, hashes and locks."""

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

PathLike = str | Path
# The configs and checkpoints that the package brings, where MMEngine looks for them.
BROUGHT = Path(__file__).parent / '.mim'

_NAMES = ('metainfo', 'tasks', 'order', 'missing')  # settings that hold no paths
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


def write_file(path: PathLike, content: str | bytes) -> None:
    """Writes a whole file atomically, text in UTF-8."""
    with atomic_write(path) as draft:
        draft.write_bytes(content.encode() if isinstance(content, str) else content)


def write_json(path: PathLike, content: Any) -> None:
    """Writes JSON atomically; NaN and infinity are refused."""
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
    write_file(path, text + '\n')


def expand_home(settings: Any) -> Any:
    """Replaces a leading ``~/`` in the texts of nested dicts and lists, dicts in place.

    Names of classes stay as they are.
    """
    if isinstance(settings, dict):
        for key, value in settings.items():
            if key not in _NAMES:
                settings[key] = expand_home(value)
    elif isinstance(settings, (list, tuple)):
        return type(settings)(map(expand_home, settings))
    elif isinstance(settings, str) and settings.startswith('~/'):
        return os.path.expanduser(settings)
    return settings


def as_word(value: Any) -> str:
    """A value that no text file holds: a class or function by its full name, else as it prints."""
    if callable(value) and hasattr(value, '__qualname__'):
        return f'{value.__module__}.{value.__qualname__}'
    return str(value)


def as_json(settings: Any) -> Any:
    """Settings in the types that JSON gives back, other values :func:`as_word`."""
    return json.loads(json.dumps(settings, default=as_word), parse_constant=str)


def check_writable(path: PathLike) -> None:
    """Refuses a file to be written later, before the work for it begins; makes nothing.

    Raises:
        ValueError: It is a folder, or its place is a file or takes no files.
    """
    path = Path(path)
    folder = path.absolute().parent
    while not folder.exists():
        folder = folder.parent
    if path.is_dir():
        raise ValueError(f'{path} is a folder: name a file in it')
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise ValueError(f'{path} cannot be written: {folder} takes no files')


def check_new(path: PathLike) -> None:
    """As :func:`check_writable`, of a file that never takes another's place.

    Raises:
        ValueError: It is there, or cannot be.
    """
    check_writable(path)
    if Path(path).exists():
        raise ValueError(f'{path} exists: remove it, or name another file')


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
        raise ValueError(f'{path} is not valid JSON ({error}): restore or remove it' ) from None


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
    lock = FileLock(path)
    try:
        # From version 4 on, children let go of it: a data loader's workers outlive a killed run.
        held = lock.acquire(timeout=0)
    except Timeout:
        if not blocking:
            raise ValueError(f'another process works in {Path(path).parent}: wait for it, or set '
                             'another --work-dir') from None
        print(f'waiting for another process that holds {path}')
        held = lock.acquire()
    with held:
        yield
