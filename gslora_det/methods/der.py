"""DER: dark experience replay (Buzzega et al., arXiv 2004.07211)."""

from typing import Dict

from torch import Tensor, nn

from gslora_det.methods.distilling import RelabelledDistilling
from gslora_det.models.detr_step import Batch
from gslora_det.options import NOT_NEGATIVE, require
from gslora_det.registry import METHODS


@METHODS.register_module()
class DER(RelabelledDistilling):
    """``L = L_det(relabelled forget) + weight ||z - z_original||^2`` on retain data.

    The squared distance of the retained classes' logits is summed over queries and
    classes and averaged over images.

    Args:
        weight (float): 0.001 in GS-LoRA's scripts, there on a sum over images.
        **kwargs: See :class:`RelabelledDistilling`.
    """

    def __init__(self, weight: float = 0.001, **kwargs) -> None:
        super().__init__(**kwargs)
        require('DER', weight=(weight, NOT_NEGATIVE))
        self.weight = weight

    def loss(self, detector: nn.Module, forget: Batch, retain: Batch) -> Dict[str, Tensor]:
        """The data term and the replay term."""
        return self.replay(detector, forget, retain)[0]

    def replay(self, detector: nn.Module, forget: Batch, retain: Batch):
        """Both terms, and what the queries say on the retain batch."""
        terms, outputs = self.forget_terms(detector, forget, retain)
        student, teacher = self.retained_logits(outputs, retain)
        terms['replay_loss'] = self.weight * (student - teacher).square().sum() / len(retain)
        return terms, outputs
