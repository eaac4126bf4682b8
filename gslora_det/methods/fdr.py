"""FDR: function distance regularisation (Benjamin et al., arXiv 1805.08289)."""

from torch import Tensor, nn

from gslora_det.methods.replaying import Replaying
from gslora_det.readers import Batch
from gslora_det.registry import METHODS


@METHODS.register_module()
class FDR(Replaying):
    """``L = L_det(relabelled forget) + weight mean ||z - z_original||_2`` on retain data.

    The norm is over the retained classes' logits of a place, the mean over places and
    images (GS-LoRA's code takes the norm over queries).

    Args:
        weight (float): Weight of the distance; 5 in GS-LoRA's scripts.
        **kwargs: See :class:`Replaying`.
    """

    def __init__(self, weight: float = 5.0, **kwargs) -> None:
        super().__init__(weight=weight, **kwargs)

    def loss(self, detector: nn.Module, forget: Batch, retain: Batch) -> dict[str, Tensor]:
        """The data term and the distance."""
        terms, on_retain = self.forget_terms(detector, forget, retain)
        student, teacher = self.original.retained_odds(on_retain, retain)
        terms['distance_loss'] = self.weight * (student - teacher).norm(dim=-1).mean()
        return terms
