"""EWC*: elastic weight consolidation (Kirkpatrick et al., arXiv 1612.00796)."""

from torch import nn

from gslora_det.methods.anchored import Anchored
from gslora_det.methods.base import Images
from gslora_det.methods.importance import detection_total, importance
from gslora_det.options import COUNT, require
from gslora_det.registry import METHODS


@METHODS.register_module()
class EWC(Anchored):
    """Importances are ``O_n = mean over images of (dL_det / dtheta_n)^2`` on retain data.

    The loss is that of :class:`Anchored`.

    Args:
        weight (float): 10 in GS-LoRA's scripts.
        num_images (int): Images to measure importances on.
        **kwargs: See :class:`Anchored`.
    """

    def __init__(self, weight: float = 10.0, num_images: int = 64, **kwargs) -> None:
        super().__init__(weight=weight, **kwargs)
        require('EWC', num_images=(num_images, COUNT))
        self.images_measured = num_images

    def before_task(self, detector: nn.Module, images: Images) -> None:
        """Measures the diagonal of the empirical Fisher information."""
        self.anchor.importance = importance(
            detector, images('retain', self.images_measured),
            lambda batch: detection_total(detector, batch), power=2)
