"""FDR: function distance regularisation (Benjamin et al., arXiv 1805.08289)."""

from typing import Dict

from torch import Tensor, nn

from gslora_det.methods.distilling import RelabelledDistilling
from gslora_det.models.detr_step import Batch
from gslora_det.options import NOT_NEGATIVE, require
from gslora_det.registry import METHODS


@METHODS.register_module()
class FDR(RelabelledDistilling):
    """``L = L_det(relabelled forget) + weight mean ||z - z_original||_2`` on retain data.

    The norm is over the retained classes' logits of a query, the mean over queries and
    images (GS-LoRA's code takes the norm over queries).

    Args:
        weight (float): 5 in GS-LoRA's scripts.
        **kwargs: See :class:`RelabelledDistilling`.
    """

    def __init__(self, weight: float = 5.0, **kwargs) -> None:
        super().__init__(**kwargs)
        require('FDR', weight=(weight, NOT_NEGATIVE))
        self.weight = weight

    def loss(self, detector: nn.Module, forget: Batch, retain: Batch) -> Dict[str, Tensor]:
        """The data term and the distance."""
        terms, outputs = self.forget_terms(detector, forget, retain)
        student, teacher = self.retained_logits(outputs, retain)
        terms['distance_loss'] = self.weight * (student - teacher).norm(dim=-1).mean()
        return terms
