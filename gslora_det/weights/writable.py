"""What goes into a file of weights: finite tensors, and facts of plain types."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gslora_det.weights.unpickling import CheckpointError


def finite_copies(state: dict[str, Tensor], path: str | Path) -> dict[str, Tensor]:
    """Finite copies on the CPU.

    Copies, because a view would take the whole storage behind it into the file. What is one
    tensor under several names, as the layers that levels of a head share, stays one.
    """
    for key, value in state.items():
        if value.is_floating_point() and not torch.isfinite(value).all():
            raise CheckpointError(f'{key} holds NaN or Inf: nothing is written to {path}')
    return one_by_one(state, lambda value: value.detach().cpu().clone(
        memory_format=torch.contiguous_format))


def one_by_one(state: dict[str, Tensor], change: Callable[[Tensor], Tensor]) -> dict[str, Tensor]:
    """Changes each tensor once, under all the names that it has."""
    changed: dict[tuple, Tensor] = {}
    for value in state.values():
        if _identity(value) not in changed:
            changed[_identity(value)] = change(value)
    return {key: changed[_identity(value)] for key, value in state.items()}


def _identity(value: Tensor) -> tuple:
    return value.data_ptr() or id(value), value.shape, value.stride(), value.dtype


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
