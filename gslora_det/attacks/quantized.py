from collections.abc import Sequence

import torch
from torch import Tensor, nn

from gslora_det.attacks.base import Attack, Target
from gslora_det.registry import ATTACKS


@ATTACKS.register_module()
class Quantized(Attack):
    """Rounds the weights (arXiv 2410.16454): what was changed by less than a step comes back."""
    name = 'quantised weights'
    title = 'weights rounded to a few bits'
    x = 'bits'
    controls = ('original', 'oracle')  # AP_retained tells whether the detector stands the rounding

    def run(self, target: Target, bits: Sequence[int] = (8, 4)) -> list[dict]:
        """Rounds all Linear and Conv2d layers and measures, see :meth:`Attack.run`.

        Args:
            target (Target): What is attacked.
            bits (list[int]): Of a weight.
        """
        curve = []
        for number in bits:
            detector = self.material.detector(target.weights)
            for module in detector.modules():
                if isinstance(module, (nn.Linear, nn.Conv2d)):
                    module.weight.data = quantized(module.weight.data, number)
            curve.append(dict(x=number, **self.material.measure(
                detector, self.material.prefix(detector), target.classes)))
        return curve


def quantized(weight: Tensor, bits: int) -> Tensor:
    """Weights rounded to signed integers of some bits, times a scale for each output channel.

    ``s_o round(w_o / s_o)`` with ``s_o = max |w_o| / (2^(bits-1) - 1)``.

    Args:
        weight (Tensor): Shape (output channels, ...).
        bits (int): At least 2.
    """
    largest = weight.abs().flatten(1).amax(1).view(-1, *[1] * (weight.dim() - 1))
    scale = largest.clamp(min=torch.finfo(weight.dtype).tiny) / (2**(bits - 1) - 1)
    return (weight / scale).round() * scale
