"""DER: dark experience replay (Buzzega et al., arXiv 2004.07211)."""

from torch import Tensor, nn

from gslora_det.methods.replaying import Replaying
from gslora_det.readers import Batch
from gslora_det.registry import METHODS


@METHODS.register_module()
class DER(Replaying):
    """``L = L_det(relabelled forget) + weight ||z - z_original||^2`` on retain data.

    The squared distance of the retained classes' logits is summed over places and
    classes and averaged over images.

    Args:
        weight (float): Weight of the distance; 0.001 in GS-LoRA's scripts, there on a sum over
            images.
        **kwargs: See :class:`Replaying`.
    """

    def __init__(self, weight: float = 0.001, **kwargs) -> None:
        super().__init__(weight=weight, **kwargs)

    def loss(self, detector: nn.Module, forget: Batch, retain: Batch) -> dict[str, Tensor]:
        """The data term and the replay term."""
        terms, on_retain = self.forget_terms(detector, forget, retain)
        student, teacher = self.original.retained_odds(on_retain, retain)
        terms['replay_loss'] = self.weight * (student - teacher).square().sum() / len(retain)
        return terms
