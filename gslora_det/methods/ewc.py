"""EWC*: elastic weight consolidation (Kirkpatrick et al., arXiv 1612.00796)."""

from typing import Dict

from torch import Tensor, nn

from gslora_det.methods.anchored import Weighted
from gslora_det.methods.importance import detection_total, importance
from gslora_det.registry import METHODS


@METHODS.register_module()
class EWC(Weighted):
    """Importances are ``O_n = mean over images of (dL_det / dtheta_n)^2``.

    The loss is that of :class:`Anchored`.

    Args:
        weight (float): 10 in GS-LoRA's scripts.
        **kwargs: See :class:`Weighted`.
    """

    def __init__(self, weight: float = 10.0, **kwargs) -> None:
        super().__init__(weight=weight, **kwargs)

    def measure(self, detector: nn.Module, images) -> Dict[str, Tensor]:
        """The diagonal of the empirical Fisher information on retain data."""
        return importance(detector, images, lambda b: detection_total(detector, b), power=2)
