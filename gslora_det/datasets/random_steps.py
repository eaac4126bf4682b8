"""Which steps of a pipeline make an image look different each time."""

import copy
import random
from typing import Any

import numpy as np
import torch

_LOOKED_AT, _PASSES = 2, 20  # images by which a pipeline is tried, and how often


def random_steps(dataset: Any) -> list[str]:
    """Names of the pipeline steps by which an image may look different each time.

    A step is random if a generator of Python, NumPy or PyTorch has moved after it, or, for
    those with one of their own, if the results of two passes differ.

    Args:
        dataset (BaseDetDataset): The data set.
    """
    found = {}
    for index in range(min(_LOOKED_AT, len(dataset))):
        for _ in range(_PASSES):
            one, other = (dataset.get_data_info(index) for _ in range(2))
            for step in dataset.pipeline.transforms:
                before = _random_state()
                one, other = step(one), step(other)
                if one is None or other is None:  # an image that is left out
                    break
                if _random_state() != before or not _same(one, other):
                    found[type(step).__name__] = None
                    other = copy.deepcopy(one)
            if found:
                return list(found)
    return []


def _random_state() -> tuple:
    kind, keys, *rest = np.random.get_state()
    return (random.getstate(), kind, keys.tobytes(), *rest,
            torch.get_rng_state().numpy().tobytes())


def _same(one: Any, other: Any) -> bool:
    """Whether two results of a pipeline hold the same numbers."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_same(one[k], other[k]) for k in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, np.ndarray):
        return np.array_equal(one, other)
    if hasattr(one, 'tensor'):  # boxes
        one, other = one.tensor, other.tensor
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if hasattr(one, 'to_dict'):  # a data sample
        return _same(one.to_dict(), other.to_dict())
    return one == other if isinstance(one, (bool, int, float, str)) else True
