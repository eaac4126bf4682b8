"""MAS*: memory aware synapses (Aljundi et al., arXiv 1711.09601)."""

from typing import Dict

from torch import Tensor, nn

from gslora_det.methods.anchored import Weighted
from gslora_det.methods.importance import importance
from gslora_det.models.detr_step import query_outputs
from gslora_det.registry import METHODS


@METHODS.register_module()
class MAS(Weighted):
    """Importance is how much the logits depend on a weight, whatever the labels say.

    ``O = mean |d mean(logits^2) / d theta|`` over retain images, last decoder layer.

    Args:
        weight (float): 0.1 in GS-LoRA's scripts.
        **kwargs: See :class:`Weighted`.
    """

    def __init__(self, weight: float = 0.1, **kwargs) -> None:
        super().__init__(weight=weight, **kwargs)

    def measure(self, detector: nn.Module, images) -> Dict[str, Tensor]:
        """The mean absolute gradient of the mean squared logit."""
        def size(batch) -> Tensor:
            outputs, = query_outputs(detector, batch)
            return outputs.logits[-1].square().mean()

        return importance(detector, images, size, power=1)
