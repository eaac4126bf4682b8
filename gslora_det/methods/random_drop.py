"""Random drop: a control without any training."""

import torch
from torch import nn

from gslora_det.methods.base import Images, Method
from gslora_det.options import SEED, SHARE, require
from gslora_det.registry import METHODS


@METHODS.register_module()
class RandomDrop(Method):
    """Sets a random share of the entries of every parameter to zero.

    The share of each parameter is drawn uniformly from [0, ``rate``]; 0.2 in the authors'
    code.

    Args:
        rate (float): Largest share, in (0, 1].
        seed (int, optional): Seed of the draw; the task is added. By default that of the
            run, ``randomness.seed`` and the task.
        **kwargs: See :class:`Method`.

    Raises:
        ValueError: An option is out of range.
    """
    trains = False

    def __init__(self, rate: float = 0.2, seed: int | None = None, **kwargs) -> None:
        super().__init__(**kwargs)
        require('RandomDrop', rate=(rate, SHARE), seed=(0 if seed is None else seed, SEED))
        self.rate = rate
        self.seed = None if seed is None else seed + self.task

    @torch.no_grad()
    def before_task(self, detector: nn.Module, images: Images) -> None:
        """Drops the entries."""
        generator = torch.Generator().manual_seed(
            torch.initial_seed() if self.seed is None else self.seed)
        for parameter in detector.parameters():
            share = self.rate * torch.rand((), generator=generator)
            dropped = torch.rand(parameter.shape, generator=generator) < share
            parameter.masked_fill_(dropped.to(parameter.device), 0)
