"""The LoRA layers: y = Wx + b + s B(Ax) (arXiv 2106.09685)."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class LoRALayer(nn.Module):
    """What LoRA layers share: a trainable low-rank update beside a frozen weight.

    ``weight`` and ``bias`` keep their own keys, so a plain checkpoint loads; ``lora_A`` and
    ``lora_B`` are new. B starts at zero: the layer starts equal, bit for bit, to the layer
    that it replaces. Merging is explicit and never a side effect of ``train()`` or
    ``eval()``.

    Args:
        layer (nn.Linear | nn.Conv2d): The layer to adapt; its parameters are shared and
            frozen.
        rank (int): Rank r of the update.
        lora_alpha (float): The update is scaled by s = lora_alpha / r.

    Raises:
        ValueError: ``rank`` is below 1 or larger than the layer.
    """

    def __init__(self, layer: nn.Linear | nn.Conv2d, rank: int,
                 lora_alpha: float = 1.0) -> None:
        outputs, inputs = layer.weight.flatten(1).shape
        if rank < 1:
            raise ValueError(f'LoRA rank is {rank}: set a whole number from 1 on')
        if rank > min(inputs, outputs):
            raise ValueError(f'LoRA rank is {rank}: a layer of {inputs} inputs and {outputs} '
                             f'outputs takes at most {min(inputs, outputs)}')
        nn.Module.__init__(self)
        # The sizes, and the strides and paddings of a convolution.
        vars(self).update({k: v for k, v in vars(layer).items() if k not in vars(self)})
        self.train(layer.training)
        self.weight, self.bias = layer.weight, layer.bias
        layer.requires_grad_(False)
        self.rank = rank
        self.scaling = lora_alpha / rank
        ones = [1] * (self.weight.dim() - 2)
        self.lora_A = nn.Parameter(self.weight.new_empty(rank, *self.weight.shape[1:]))
        self.lora_B = nn.Parameter(self.weight.new_empty(outputs, rank, *ones))
        self.enabled = True
        self.reset()

    def reset(self) -> None:
        """Starts the update anew: A Kaiming-uniform with a = sqrt(5), B zero."""
        nn.init.kaiming_uniform_(self.lora_A, a=math.sqrt(5))
        nn.init.zeros_(self.lora_B)

    @torch.no_grad()
    def start(self, a: Tensor, b: Tensor) -> None:
        """Starts with the update ``b a`` instead of zero.

        Args:
            a (Tensor): Shape (r, ...), r at most the rank; further rows stay as they are.
            b (Tensor): Shape (outputs, r).
        """
        self.lora_A[:len(a)] = a.view_as(self.lora_A[:len(a)])
        self.lora_B.zero_()
        self.lora_B.flatten(1)[:, :len(a)] = b / self.scaling

    def delta(self) -> Tensor:
        """The update s B A of the weight, in the weight's shape."""
        update = self.scaling * self.lora_B.flatten(1) @ self.lora_A.flatten(1)
        return update.view_as(self.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Applies the adapted layer; shapes are those of the plain layer."""
        y = super().forward(x)
        if self.enabled:
            y = y + self.scaling * self._low_rank(x)
        return y

    def _low_rank(self, x: Tensor) -> Tensor:
        """B(Ax)."""
        raise NotImplementedError

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


class LoRALinear(LoRALayer, nn.Linear):
    """An ``nn.Linear`` with ``lora_A`` (r, in) and ``lora_B`` (out, r); see :class:`LoRALayer`."""

    def _low_rank(self, x: Tensor) -> Tensor:
        return F.linear(F.linear(x, self.lora_A), self.lora_B)


class LoRAConv2d(LoRALayer, nn.Conv2d):
    """An ``nn.Conv2d`` with ``lora_A`` (r, in, k, k) and ``lora_B`` (out, r, 1, 1).

    A has the stride, padding and dilation of the layer, B mixes its r channels: together
    one convolution of the weight s (B A).view_as(W). See :class:`LoRALayer`.

    Raises:
        ValueError: The convolution is grouped, or as for every LoRA layer.
    """

    def __init__(self, conv: nn.Conv2d, rank: int, lora_alpha: float = 1.0) -> None:
        if conv.groups != 1:  # B A would mix channels that its groups keep apart
            raise ValueError(f'a convolution of {conv.groups} groups takes no LoRA update: '
                             'adapt convolutions of one group')
        super().__init__(conv, rank, lora_alpha)

    def _low_rank(self, x: Tensor) -> Tensor:
        return F.conv2d(self._conv_forward(x, self.lora_A, None), self.lora_B)
