"""The LoRA layer: y = Wx + b + s B(Ax) (arXiv 2106.09685)."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class LoRALinear(nn.Linear):
    """An ``nn.Linear`` with a trainable low-rank update beside its frozen weight.

    ``weight`` and ``bias`` keep their own keys, so a plain checkpoint loads; ``lora_A``
    (rank, in) and ``lora_B`` (out, rank) are new. B starts at zero: the layer starts
    equal, bit for bit, to the linear layer that it replaces. Merging is explicit and
    never a side effect of ``train()`` or ``eval()``.

    Args:
        linear (nn.Linear): The layer to adapt; its parameters are shared and frozen.
        rank (int): Rank r of the update.
        lora_alpha (float): The update is scaled by s = lora_alpha / r.

    Raises:
        ValueError: ``rank`` is below 1 or larger than the layer.
    """

    def __init__(self, linear: nn.Linear, rank: int, lora_alpha: float = 1.0) -> None:
        if rank < 1:
            raise ValueError(f'LoRA rank is {rank}: set a whole number from 1 on')
        if rank > min(linear.weight.shape):
            raise ValueError(f'LoRA rank is {rank}: a layer of {linear.in_features} inputs and '
                             f'{linear.out_features} outputs takes at most '
                             f'{min(linear.weight.shape)}')
        nn.Module.__init__(self)
        self.in_features = linear.in_features
        self.out_features = linear.out_features
        self.weight = linear.weight
        self.bias = linear.bias
        for parameter in linear.parameters():
            parameter.requires_grad_(False)
        self.rank = rank
        self.scaling = lora_alpha / rank
        self.lora_A = nn.Parameter(self.weight.new_empty(rank, self.in_features))
        self.lora_B = nn.Parameter(self.weight.new_empty(self.out_features, rank))
        self.enabled = True
        self.reset()

    def reset(self) -> None:
        """Starts the update anew: A Kaiming-uniform with a = sqrt(5), B zero."""
        nn.init.kaiming_uniform_(self.lora_A, a=math.sqrt(5))
        nn.init.zeros_(self.lora_B)

    def delta(self) -> Tensor:
        """The update s B A of the weight, shape (out, in)."""
        return self.scaling * self.lora_B @ self.lora_A

    def forward(self, x: Tensor) -> Tensor:
        """Applies the adapted layer to ``x`` of shape (..., in)."""
        y = F.linear(x, self.weight, self.bias)
        if self.enabled:
            y = y + self.scaling * F.linear(F.linear(x, self.lora_A), self.lora_B)
        return y

    @torch.no_grad()
    def merge(self) -> None:
        """Folds the update into ``weight``, W <- W + s B A, and sets B to zero.

        Raises:
            ValueError: The update holds NaN or Inf; nothing is changed then.
        """
        delta = self.delta()
        if not torch.isfinite(delta).all():
            raise ValueError('the LoRA update holds NaN or Inf and is not merged: lower '
                             'the learning rate or beta, and train the task again')
        self.weight += delta
        self.lora_B.zero_()

    def extra_repr(self) -> str:
        return f'{super().extra_repr()}, rank={self.rank}, scaling={self.scaling:g}'
