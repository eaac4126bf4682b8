"""MAS*: memory aware synapses (Aljundi et al., arXiv 1711.09601)."""

from torch import Tensor, nn

from gslora_det.methods.anchored import Weighted
from gslora_det.readers import Batch, reader_of
from gslora_det.registry import METHODS


@METHODS.register_module()
class MAS(Weighted):
    """Importance is how much the logits depend on a weight, whatever the labels say.

    ``O = mean |d mean(z^2) / d theta|`` over retain images, with z the log-odds (of a DETR's
    last decoder layer). The loss is that of :class:`Anchored`.

    Args:
        weight (float): Weight of the pull; 0.1 in GS-LoRA's scripts.
        **kwargs: See :class:`Weighted`.
    """

    def __init__(self, weight: float = 0.1, **kwargs) -> None:
        super().__init__(weight=weight, **kwargs)

    def measured(self, detector: nn.Module, batch: Batch) -> Tensor:
        """The mean squared log-odds."""
        reading, = reader_of(detector).read(batch)
        return reading.odds.square().mean()
