"""EWC*: elastic weight consolidation (Kirkpatrick et al., arXiv 1612.00796)."""

from torch import Tensor, nn

from gslora_det.methods.anchored import Weighted
from gslora_det.methods.importance import detection_total
from gslora_det.readers import Batch
from gslora_det.registry import METHODS


@METHODS.register_module()
class EWC(Weighted):
    """Importances are ``O_n = mean over images of (dL_det / dtheta_n)^2``.

    That is the diagonal of the empirical Fisher information on retain data. The loss is that
    of :class:`Anchored`.

    Args:
        weight (float): Weight of the pull; 10 in GS-LoRA's scripts.
        **kwargs: See :class:`Weighted`.
    """
    power = 2

    def __init__(self, weight: float = 10.0, **kwargs) -> None:
        super().__init__(weight=weight, **kwargs)

    def measured(self, detector: nn.Module, batch: Batch) -> Tensor:
        """The detector's own loss."""
        return detection_total(detector, batch)
