"""Reading pickled checkpoints without running their code: ``weights_only`` and a short list."""

import pickle
import re
import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from mmengine.logging.history_buffer import HistoryBuffer
from mmengine.optim.scheduler.param_scheduler import OneCycleParamScheduler


class CheckpointError(ValueError):
    """A weights file that is missing, broken, unsafe, or made for another model."""


class _Array(np.ndarray):
    """An array of numbers from a checkpoint.

    NumPy's own class would let a file make an array of pointers to any place in memory.
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> 'np.ndarray':
        raise pickle.UnpicklingError('Unsupported global: GLOBAL numpy.ndarray')

    def __setstate__(self, state: tuple) -> None:
        if state[2].hasobject:
            raise pickle.UnpicklingError('Unsupported global: GLOBAL numpy.ndarray of objects')
        super().__setstate__(state)

    def __reduce__(self) -> tuple:
        return self.view(np.ndarray).__reduce__()  # into the next checkpoint as what it is


def _number(kind: str, *_: Any) -> np.dtype:
    """What ``numpy.dtype`` may do in a checkpoint: name a kind of number."""
    found = np.dtype(kind) if isinstance(kind, str) else None
    if found is None or found.kind not in 'biuf':
        raise pickle.UnpicklingError('Unsupported global: GLOBAL numpy.dtype')
    return found


class _OneCycle:
    """Stands for MMEngine's scheduler, of which a checkpoint names a function; never built."""

    def __new__(cls, *args: Any, **kwargs: Any) -> None:
        raise pickle.UnpicklingError('Unsupported global: GLOBAL OneCycleParamScheduler')


def _named(owner: Any, name: str) -> Any:
    """What ``getattr`` may do: name a statistic of MMEngine's log, or the form of a schedule."""
    if owner is HistoryBuffer and name in ('min', 'max', 'mean', 'current'):
        return getattr(owner, name)
    if owner is _OneCycle and name in ('_annealing_cos', '_annealing_linear'):
        return getattr(OneCycleParamScheduler, name)
    raise pickle.UnpicklingError('Unsupported global: GLOBAL getattr')


def _qualified(kind: type) -> str:
    return f'{kind.__module__}.{kind.__qualname__}'


def _harmless() -> list[Any]:
    """What MMEngine's own checkpoints hold beside tensors and plain types."""
    # Reached through what NumPy itself pickles; NumPy 1 and 2 name their modules differently.
    functions = np.zeros(0).__reduce__()[0], np.float64(0).__reduce__()[0]
    return [
        HistoryBuffer, (_Array, 'numpy.ndarray'), (_number, 'numpy.dtype'),
        *{type(np.dtype(kind)) for kind in '?bBhHiIlLqQefd'},
        *((function, f'numpy.{core}.multiarray.{function.__name__}')
          for function in functions for core in ('core', '_core')),
        (_named, 'builtins.getattr'), (_OneCycle, _qualified(OneCycleParamScheduler)),
    ]


def unpickle(file: Path | IO[bytes], map_location: Any) -> Any:
    """What ``torch.save`` wrote to a file or stream, with an allow-list of classes.

    Args:
        file (Path | file): Where to read.
        map_location: As for ``torch.load``.

    Raises:
        CheckpointError: The content is damaged, or asks for anything that could run code.
    """
    name = file if isinstance(file, Path) else 'stream'
    try:
        # torch writes a checksum for each tensor, but does not look at it when reading.
        if zipfile.is_zipfile(file):
            with zipfile.ZipFile(file) as archive:
                damaged = archive.testzip()
            if damaged:
                raise CheckpointError(f'checkpoint {name} is damaged: {damaged} has a wrong '
                                      'checksum')
        if not isinstance(file, Path):
            file.seek(0)
        with torch.serialization.safe_globals(_harmless()):
            return torch.load(file, map_location=map_location, weights_only=True)
    except CheckpointError:
        raise
    except pickle.UnpicklingError as error:
        refused = re.search(r'GLOBAL (\S+)', str(error))
        reason = (f'it asks for {refused.group(1)}, which could run code' if refused
                  else 'it is damaged, or no checkpoint')
        raise CheckpointError(f'checkpoint {name} is refused: {reason}') from None
    except Exception as error:  # torch raises many kinds for damaged files
        raise CheckpointError(f'checkpoint {name} is damaged, or no checkpoint '
                              f'({type(error).__name__})') from None
