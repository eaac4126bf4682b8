"""DER++: dark experience replay with labels (Buzzega et al., arXiv 2004.07211)."""

from typing import Dict

from torch import Tensor, nn

from gslora_det.methods.der import DER
from gslora_det.models.detr_step import Batch
from gslora_det.options import NOT_NEGATIVE, require
from gslora_det.registry import METHODS


@METHODS.register_module()
class DERPlusPlus(DER):
    """``L = L_DER + retain_weight L_det(retain)``.

    Both terms see the same retain batch. (The paper draws one for each.)

    Args:
        retain_weight (float): 0.1 in GS-LoRA's scripts.
        **kwargs: See :class:`DER`.
    """

    def __init__(self, retain_weight: float = 0.1, **kwargs) -> None:
        super().__init__(**kwargs)
        require('DERPlusPlus', retain_weight=(retain_weight, NOT_NEGATIVE))
        self.retain_weight = retain_weight

    def loss(self, detector: nn.Module, forget: Batch, retain: Batch) -> Dict[str, Tensor]:
        """The terms of DER and the detector's loss on the retain batch."""
        terms, outputs = self.replay(detector, forget, retain)
        terms.update(self.retain_terms(detector, outputs, retain, self.retain_weight))
        return terms
