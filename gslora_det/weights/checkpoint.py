"""Strict and safe loading and writing of weights.

Nothing here ever unpickles freely: files are read as ``.safetensors``, or as ``.pth`` with
``weights_only=True`` and a short list of harmless classes.
"""

import collections
import hashlib
import http.client
import io
import json
import math
import os
import re
import sys
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Dict, Optional, Sequence, Tuple, Union
from urllib.parse import urlparse

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from gslora_det.files import atomic_write, folder_lock
from gslora_det.weights.unpickling import CheckpointError, unpickle

ADAPTER_FORMAT = '2'  # from which on an adapter names its weights
# What a task's files say of it: its classes, those erased before, and the SHA-256 of the file
# of weights before any erasure.
FACTS = ('task', 'forgotten', 'old', 'original')


def _is_url(source: Union[str, Path]) -> bool:
    return re.match('https?://', str(source)) is not None


def local_path(source: Union[str, Path]) -> Path:
    """Where the file behind a path or URL is, or would be after its download."""
    if not _is_url(source):
        return Path(source).expanduser()
    name = urlparse(str(source)).path.rpartition('/')[2]
    if not _digest_in(name):  # other runs have an epoch_12.pth, too
        name = f'{hashlib.sha256(str(source).encode()).hexdigest()[:8]}_{name}'
    return Path(torch.hub.get_dir()) / 'checkpoints' / name


def _digest_in(name: str) -> Optional[str]:
    """The begin of the SHA-256 that a published file has in its name."""
    found = re.search(r'-([0-9a-f]{8,})\.', name)
    return found and found.group(1)


def fetch(source: Union[str, Path]) -> Path:
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


def exists(source: Union[str, Path]) -> bool:
    """Whether there is a file, or a URL that may be downloaded."""
    return isinstance(source, (str, Path)) and (
        _is_url(source) or local_path(source).is_file())


def check_exists(source: Union[str, Path]) -> None:
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


def read_checkpoint(source: Union[str, Path], map_location: Any = 'cpu') -> Dict[str, Any]:
    """Reads a whole checkpoint safely.

    Args:
        source (str | Path): A ``.safetensors`` or ``.pth`` file, or its URL.
        map_location: As for ``torch.load``.

    Raises:
        CheckpointError: The file is missing, broken, or would run code.
    """
    check_exists(source)
    path = fetch(source)
    if path.suffix == '.safetensors':
        return dict(state_dict=_read_safetensors(path)[0])
    content = unpickle(path, map_location)
    if not isinstance(content, dict):
        raise CheckpointError(f'checkpoint {path} holds {type(content).__name__}, not '
                              'weights by name')
    return content


def read_meta(source: Union[str, Path]) -> Dict[str, Any]:
    """What a checkpoint says about itself.

    Raises:
        CheckpointError: As :func:`read_checkpoint`, or it is no dict.
    """
    meta = read_checkpoint(source).get('meta') or {}
    if not isinstance(meta, dict):
        raise CheckpointError(f'checkpoint {source}: meta holds {type(meta).__name__}, not '
                              'facts by name')
    return meta


def _read_safetensors(path: Path) -> Tuple[Dict[str, Tensor], Dict[str, str]]:
    try:
        with safe_open(str(path), framework='pt') as content:
            return ({key: content.get_tensor(key) for key in content.keys()},
                    content.metadata() or {})
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(f'{path} is missing or damaged: {error}') from None


def read_weights(source: Union[str, Path]) -> Dict[str, Tensor]:
    """Reads the weights of a checkpoint, by parameter name.

    Raises:
        CheckpointError: As :func:`read_checkpoint`, or it holds anything but tensors.
    """
    content = read_checkpoint(source)
    state = content.get('state_dict', content)
    if not isinstance(state, dict) or not state:
        raise CheckpointError(f'checkpoint {source} holds no weights')
    foreign = [key for key, value in state.items()
               if not isinstance(key, str) or not isinstance(value, Tensor)]
    if foreign:
        raise CheckpointError(f'checkpoint {source} holds no weights '
                              f'({foreign[0]!r} is no named tensor)')
    # DDP puts the prefix before every key; a child of that name only before its own.
    if all(key.startswith('module.') for key in state):
        return {key[len('module.'):]: value for key, value in state.items()}
    return dict(state)


def load_weights(module: nn.Module, source: Union[str, Path, Dict[str, Tensor]],
                 created: Sequence[str] = ()) -> None:
    """Loads weights strictly: all of them, or nothing.

    Args:
        module (nn.Module): Where to load into; half-precision weights are cast.
        source (str | Path | dict): A checkpoint, or tensors by name.
        created (list[str]): Patterns of keys that may be missing, for those that are
            made later, such as ``'*.lora_A'``.

    Raises:
        CheckpointError: Keys are missing, unexpected or of another shape; all are listed
            and the module is as it was.
    """
    given = dict(source) if isinstance(source, dict) else read_weights(source)
    wanted = module.state_dict()
    missing = [key for key in wanted if key not in given
               and not any(fnmatchcase(key, pattern) for pattern in created)]
    unexpected = [key for key in given if key not in wanted]
    misshaped = [f'{key} {tuple(given[key].shape)} instead of {tuple(wanted[key].shape)}'
                 for key in wanted if key in given and given[key].shape != wanted[key].shape]
    problems = [f'{title}: {_listed(keys)}' for title, keys in (
        ('missing', missing), ('unexpected', unexpected), ('of another shape', misshaped))
        if keys]
    if problems:
        where = 'the weights do' if isinstance(source, dict) else f'{source} does'
        raise CheckpointError(f'{where} not fit {type(module).__name__}; '
                              + '; '.join(problems))
    module.load_state_dict(given, strict=False)


def _listed(keys: Sequence[str]) -> str:
    more = f' … and {len(keys) - 5} more' if len(keys) > 5 else ''
    return ', '.join(keys[:5]) + more


def save_weights(state: Dict[str, Tensor], path: Union[str, Path], meta: dict,
                 half: bool = False) -> None:
    """Writes a plain MMDet checkpoint, atomically.

    It loads with ``torch.load(weights_only=True)`` and in MMDet's ``init_detector``.

    Args:
        state (dict[str, Tensor]): The weights, without any LoRA key.
        path (str | Path): A ``.pth`` file.
        meta (dict): Plain-typed facts; MMDet reads ``dataset_meta`` with ``classes`` and
            ``palette``.
        half (bool): Store floating-point tensors in half precision.

    Raises:
        CheckpointError: A LoRA key is left, or a weight is NaN or infinite.
    """
    lora = [key for key in state if key.endswith(('lora_A', 'lora_B'))]
    if lora:
        raise CheckpointError(f'{lora[0]} is not merged: nothing is written to {path}')
    if half:
        state = {key: value.half() if value.is_floating_point() else value
                 for key, value in state.items()}
    state = _writable(state, path)
    # Into memory first: what the disk refuses is then an OSError, which says so.
    content = io.BytesIO()
    torch.save(dict(meta=plain(meta), state_dict=collections.OrderedDict(state)), content)
    with atomic_write(path) as draft:
        draft.write_bytes(content.getvalue())


def _writable(state: Dict[str, Tensor], path: Union[str, Path]) -> Dict[str, Tensor]:
    """Finite copies on the CPU.

    Copies, because a view would take the whole storage behind it into the file.
    """
    for key, value in state.items():
        if value.is_floating_point() and not torch.isfinite(value).all():
            raise CheckpointError(f'{key} holds NaN or Inf: nothing is written to {path}')
    return {key: value.detach().cpu().clone(memory_format=torch.contiguous_format)
            for key, value in state.items()}


def plain(value: Any) -> Any:
    """The value in plain types; a tuple or an array becomes a list.

    Raises:
        CheckpointError: It holds something else, which would not load safely.
    """
    if hasattr(value, 'tolist'):  # NumPy's arrays and numbers
        value = value.tolist()
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str(value)  # NumPy's strings are a subclass, which loads nowhere
    if isinstance(value, (int, float)) and math.isfinite(value):
        return int(value) if isinstance(value, int) else float(value)
    raise CheckpointError(f'meta holds {value!r} of type {type(value).__name__}')


def save_adapter(state: Dict[str, Tensor], path: Union[str, Path],
                 metadata: Dict[str, str]) -> None:
    """Writes an adapter (``lora_A`` and ``lora_B``) as ``.safetensors``, atomically.

    ``.safetensors`` has no checksum, so one of its content goes into its metadata.
    """
    state = _writable(state, path)
    metadata = dict(metadata, format_version=ADAPTER_FORMAT)
    content = save(state, dict(metadata, sha256=_digest(state, metadata)))
    with atomic_write(path) as draft:
        draft.write_bytes(content)


def weights_digest(state: Dict[str, Tensor]) -> str:
    """A SHA-256 of weights by name: the same in whatever file, and on whatever device."""
    return _digest({key: value.detach().cpu().contiguous() for key, value in state.items()}, {})


def load_adapter(path: Union[str, Path]) -> Tuple[Dict[str, Tensor], Dict[str, str]]:
    """Reads an adapter: its tensors by name, and its metadata.

    Raises:
        CheckpointError: The file is missing, damaged, or of another format version.
    """
    state, metadata = _read_safetensors(Path(path))
    if 'format_version' not in metadata:
        raise CheckpointError(f'{path} is no adapter of this package: it has no format '
                              'version')
    if metadata.pop('sha256', None) != _digest(state, metadata):
        raise CheckpointError(f'{path} is damaged: its content has another sha256')
    version = metadata.pop('format_version', None)
    if version != ADAPTER_FORMAT:
        raise CheckpointError(f'{path} has format version {version}, this package reads '
                              f'{ADAPTER_FORMAT}: use the package that wrote it')
    return state, metadata


def _digest(state: Dict[str, Tensor], metadata: Dict[str, str]) -> str:
    """A hash of tensors and metadata, whatever their order."""
    digest = hashlib.sha256(json.dumps(metadata, sort_keys=True).encode())
    for key, value in sorted(state.items()):
        digest.update(f'{key} {value.dtype} {tuple(value.shape)}'.encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def last_checkpoint(folder: Path) -> Optional[str]:
    """The newest checkpoint that a run has written to its folder."""
    found = sorted((path for kind in ('iter', 'epoch') for path in folder.glob(f'{kind}_*.pth')),
                   key=os.path.getmtime)
    return str(found[-1]) if found else None
