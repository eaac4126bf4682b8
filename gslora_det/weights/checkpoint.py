"""Strict and safe loading and writing of weights.

Nothing here ever unpickles freely: files are read as ``.safetensors``, or as ``.pth`` with
``weights_only=True`` and a short list of harmless classes.
"""

import collections
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from gslora_det.files import write_file
from gslora_det.weights.sources import check_exists, fetch
from gslora_det.weights.unpickling import CheckpointError, unpickle
from gslora_det.weights.writable import finite_copies, one_by_one, plain


def read_checkpoint(source: str | Path, map_location: Any = 'cpu') -> dict[str, Any]:
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
        return dict(state_dict=read_safetensors(path)[0])
    content = unpickle(path, map_location)
    if not isinstance(content, dict):
        raise CheckpointError(f'checkpoint {path} holds {type(content).__name__}, not '
                              'weights by name')
    return content


def read_meta(source: str | Path) -> dict[str, Any]:
    """What a checkpoint says about itself.

    Raises:
        CheckpointError: As :func:`read_checkpoint`, or it is no dict.
    """
    meta = read_checkpoint(source).get('meta') or {}
    if not isinstance(meta, dict):
        raise CheckpointError(f'checkpoint {source}: meta holds {type(meta).__name__}, not '
                              'facts by name')
    return meta


def read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors of a ``.safetensors`` file by name, and its metadata.

    Raises:
        CheckpointError: The file is missing or damaged.
    """
    try:
        with safe_open(str(path), framework='pt') as content:
            return ({key: content.get_tensor(key) for key in content.keys()},
                    content.metadata() or {})
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(f'{path} is missing or damaged: {error}') from None


def read_weights(source: str | Path) -> dict[str, Tensor]:
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


def load_weights(module: nn.Module, source: str | Path | dict[str, Tensor]) -> None:
    """Loads weights strictly: all of them, or nothing.

    Args:
        module (nn.Module): Where to load into; half-precision weights are cast.
        source (str | Path | dict): A checkpoint, or tensors by name.

    Raises:
        CheckpointError: Keys are missing, unexpected or of another shape; all are listed
            and the module is as it was.
    """
    given = dict(source) if isinstance(source, dict) else read_weights(source)
    wanted = module.state_dict()
    missing = [key for key in wanted if key not in given]
    unexpected = [key for key in given if key not in wanted]
    misshaped = [f'{key} {tuple(given[key].shape)} instead of {tuple(wanted[key].shape)}'
                 for key in wanted if key in given and given[key].shape != wanted[key].shape]
    problems = [f'{title}: {_listed(keys)}' for title, keys in (
        ('missing', missing), ('unexpected', unexpected), ('of another shape', misshaped))
        if keys]
    if problems:
        where = 'the weights do' if isinstance(source, dict) else f'{source} does'
        raise CheckpointError(f'{where} not fit {type(module).__name__}; ' + '; '.join(problems))
    module.load_state_dict(given)


def _listed(keys: Sequence[str]) -> str:
    more = f' … and {len(keys) - 5} more' if len(keys) > 5 else ''
    return ', '.join(keys[:5]) + more


def save_weights(state: dict[str, Tensor], path: str | Path, meta: dict,
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
        state = one_by_one(
            state, lambda value: value.half() if value.is_floating_point() else value)
    state = finite_copies(state, path)
    # Into memory first: what the disk refuses is then an OSError, which says so.
    content = io.BytesIO()
    torch.save(dict(meta=plain(meta), state_dict=collections.OrderedDict(state)), content)
    write_file(path, content.getvalue())
