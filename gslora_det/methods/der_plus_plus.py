"""DER++: dark experience replay with labels (Buzzega et al., arXiv 2004.07211)."""

from torch import Tensor, nn

from gslora_det.methods.replaying import Replaying
from gslora_det.options import NOT_NEGATIVE, require
from gslora_det.readers import Batch
from gslora_det.registry import METHODS


@METHODS.register_module()
class DERPlusPlus(Replaying):
    """``L = L_det(relabelled forget) + weight ||z - z_original||^2 + w_r L_det(retain)``.

    The distance is that of :class:`DER`, on the same retain batch. (The paper draws one for
    each.)

    Args:
        weight (float): Weight of the distance; 0.001 in GS-LoRA's scripts, there on a sum over
            images.
        retain_weight (float): w_r, of the loss on retain data; 0.1 in GS-LoRA's scripts.
        **kwargs: See :class:`Replaying`.
    """

    def __init__(self, weight: float = 0.001, retain_weight: float = 0.1, **kwargs) -> None:
        super().__init__(weight=weight, **kwargs)
        require('DERPlusPlus', retain_weight=(retain_weight, NOT_NEGATIVE))
        self.retain_weight = retain_weight

    def loss(self, detector: nn.Module, forget: Batch, retain: Batch) -> dict[str, Tensor]:
        """The data term, the replay term and the detector's loss on the retain batch."""
        terms, on_retain = self.forget_terms(detector, forget, retain)
        student, teacher = self.original.retained_odds(on_retain, retain)
        terms['replay_loss'] = self.weight * (student - teacher).square().sum() / len(retain)
        terms.update(self.retain_terms(detector, on_retain, self.retain_weight))
        return terms
