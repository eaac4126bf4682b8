"""Strict and safe loading and writing of weights.

Nothing here ever unpickles freely: files are read as ``.safetensors``, or as ``.pth`` with
``weights_only=True`` and a short list of harmless classes.
"""

import collections
import math
import pickle
import re
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Dict, List, Sequence, Tuple, Union

import numpy as np
import torch
from mmengine.dist import barrier, get_rank
from mmengine.logging.history_buffer import HistoryBuffer
from mmengine.runner.checkpoint import CheckpointLoader
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from gslora_det.files import atomic_write


class CheckpointError(ValueError):
    """A weights file that is missing, broken, unsafe, or made for another model."""


def _statistic(owner: Any, name: str) -> Any:
    """What ``getattr`` may do in a checkpoint: name a statistic of MMEngine's log."""
    if owner is not HistoryBuffer or name not in ('min', 'max', 'mean', 'current'):
        raise pickle.UnpicklingError(f'Unsupported global: GLOBAL {owner}.{name}')
    return getattr(owner, name)


def _harmless() -> List[Any]:
    """What MMEngine's own checkpoints hold beside tensors and plain types."""
    core = getattr(np, '_core', None) or np.core
    return [
        HistoryBuffer, np.ndarray, np.dtype,
        *{type(np.dtype(kind)) for kind in ('f4', 'f8', 'i4', 'i8', 'u4', 'u8', 'b1')},
        core.multiarray._reconstruct, core.multiarray.scalar,
        # NumPy 1 wrote its functions under another module's name.
        (core.multiarray._reconstruct, 'numpy.core.multiarray._reconstruct'),
        (core.multiarray.scalar, 'numpy.core.multiarray.scalar'),
        (_statistic, 'builtins.getattr'),
    ]


def _local_path(source: str) -> Path:
    """The file behind a path or URL; a URL is downloaded once, by one process a node."""
    if not re.match('https?://', source):
        return Path(source).expanduser()
    name = source.rsplit('/', 1)[-1]
    path = Path(torch.hub.get_dir()) / 'checkpoints' / name
    if not path.exists() and get_rank() == 0:
        digest = re.search(r'-([0-9a-f]{8,})\.', name)
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with atomic_write(path) as draft:
                torch.hub.download_url_to_file(source, str(draft),
                                               digest and digest.group(1))
        except (OSError, RuntimeError) as error:
            raise CheckpointError(f'{source} could not be downloaded ({error}): fetch it by '
                                  f'hand and put it at {path}') from None
    barrier()
    return path


def read_checkpoint(source: Union[str, Path], map_location: Any = 'cpu') -> Dict[str, Any]:
    """Reads a whole checkpoint safely.

    Args:
        source (str | Path): A ``.safetensors`` or ``.pth`` file, or its URL.
        map_location: As for ``torch.load``.

    Raises:
        CheckpointError: The file is missing, broken, or would run code.
    """
    path = _local_path(str(source))
    if not path.is_file():
        raise CheckpointError(f'checkpoint {path} does not exist')
    if path.suffix == '.safetensors':
        return dict(state_dict=_read_safetensors(path)[0])
    try:
        with torch.serialization.safe_globals(_harmless()):
            content = torch.load(path, map_location=map_location, weights_only=True)
    except pickle.UnpicklingError as error:
        refused = re.search(r'GLOBAL (\S+)', str(error))
        reason = (f'it asks for {refused.group(1)}, which could run code' if refused
                  else 'it is damaged, or no checkpoint')
        raise CheckpointError(f'checkpoint {path} is refused: {reason}') from None
    except Exception as error:  # torch raises many kinds for damaged files
        raise CheckpointError(f'checkpoint {path} is damaged, or no checkpoint '
                              f'({type(error).__name__})') from None
    if not isinstance(content, dict):
        raise CheckpointError(f'checkpoint {path} holds {type(content).__name__}, not '
                              'weights by name')
    return content


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
    foreign = [key for key, value in state.items() if not isinstance(value, Tensor)]
    if foreign or not state:
        raise CheckpointError(f'checkpoint {source} holds no weights'
                              + (f" ('{foreign[0]}' is no tensor)" if foreign else ''))
    return {key[7:] if key.startswith('module.') else key: value
            for key, value in state.items()}


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
    lora = [key for key in state if key.endswith(('.lora_A', '.lora_B'))]
    if lora:
        raise CheckpointError(f'{lora[0]} is not merged: nothing is written to {path}')
    state = {key: value.detach().cpu().contiguous() for key, value in state.items()}
    if half:
        state = {key: value.half() if value.is_floating_point() else value
                 for key, value in state.items()}
    broken = [key for key, value in state.items()
              if value.is_floating_point() and not torch.isfinite(value).all()]
    if broken:
        raise CheckpointError(f'{broken[0]} holds NaN or Inf: nothing is written to {path}')
    with atomic_write(path) as draft:
        torch.save(dict(meta=_plain(meta), state_dict=collections.OrderedDict(state)), draft)


def _plain(value: Any) -> Any:
    """The value in plain types; a tuple becomes a list."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, (int, float)) and math.isfinite(value):
        return int(value) if isinstance(value, int) else float(value)
    raise TypeError(f'meta holds {value!r} of type {type(value).__name__}')


def save_adapter(state: Dict[str, Tensor], path: Union[str, Path],
                 metadata: Dict[str, str]) -> None:
    """Writes an adapter (``lora_A`` and ``lora_B``) as ``.safetensors``, atomically."""
    with atomic_write(path) as draft:
        save_file({key: value.detach().cpu().contiguous() for key, value in state.items()},
                  str(draft), metadata)


def load_adapter(path: Union[str, Path]) -> Tuple[Dict[str, Tensor], Dict[str, str]]:
    """Reads an adapter: its tensors by name, and its metadata.

    Raises:
        CheckpointError: The file is missing or damaged.
    """
    return _read_safetensors(Path(path))


def install_safe_loader() -> None:
    """Makes MMEngine read checkpoints through :func:`read_checkpoint`.

    The maintained MMEngine falls back silently to free unpickling; this replaces its
    loaders for files and URLs in this process.
    """
    def load_from_safe(filename: str, map_location: Any = None, **kwargs) -> dict:
        return read_checkpoint(filename, map_location or 'cpu')

    CheckpointLoader.register_scheme(['', 'http://', 'https://'], load_from_safe, force=True)
