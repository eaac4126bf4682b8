"""Automatic mixed precision on a CPU."""

import contextlib
from collections.abc import Iterator

import torch
from mmengine.optim import OptimWrapper
from mmengine.registry import OPTIM_WRAPPERS
from torch import nn


@OPTIM_WRAPPERS.register_module()
class Bf16OptimWrapper(OptimWrapper):
    """Runs the forward pass in bfloat16 on a CPU, where AmpOptimWrapper needs a GPU.

    bfloat16 has the range of single precision: losses need no scaling.
    """

    @contextlib.contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Casts within a forward pass; the parameters stay in single precision."""
        with super().optim_context(model), torch.autocast('cpu', torch.bfloat16):
            yield
