"""MAS*: memory aware synapses (Aljundi et al., arXiv 1711.09601)."""

from torch import nn

from gslora_det.methods.anchored import Anchored
from gslora_det.methods.base import Images
from gslora_det.methods.importance import importance, logit_size
from gslora_det.options import COUNT, require
from gslora_det.registry import METHODS


@METHODS.register_module()
class MAS(Anchored):
    """Importance is how much the logits depend on a weight, whatever the labels say.

    ``O = mean |d mean(z^2) / d theta|`` over retain images, with z the log-odds (of a DETR's
    last decoder layer). The loss is that of :class:`Anchored`.

    Args:
        weight (float): 0.1 in GS-LoRA's scripts.
        num_images (int): Images to measure importances on.
        **kwargs: See :class:`Anchored`.
    """

    def __init__(self, weight: float = 0.1, num_images: int = 64, **kwargs) -> None:
        super().__init__(weight=weight, **kwargs)
        require('MAS', num_images=(num_images, COUNT))
        self.images_measured = num_images

    def before_task(self, detector: nn.Module, images: Images) -> None:
        """Measures the mean absolute gradient of the mean squared logit."""
        self.anchor.importance = importance(
            detector, images('retain', self.images_measured),
            lambda batch: logit_size(detector, batch), power=1)
