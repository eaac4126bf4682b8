"""LwF: learning without forgetting (Li and Hoiem, arXiv 1606.09282)."""

from torch import Tensor, nn

from gslora_det.losses import logit_distillation_loss
from gslora_det.methods.replaying import Replaying
from gslora_det.options import NOT_NEGATIVE, POSITIVE, require
from gslora_det.readers import Batch
from gslora_det.registry import METHODS


@METHODS.register_module()
class LwF(Replaying):
    """``L = L_det(relabelled forget) + w_kd KD(retain) + w_r L_det(retain)``.

    KD is :func:`logit_distillation_loss` on the retained classes. (The paper has no old data
    and distils on the new task's; retain data, as GS-LoRA's code has it, are the stronger
    hold.)

    Args:
        weight (float): w_kd, of distillation; 0.5 in GS-LoRA's classification scripts.
        retain_weight (float): w_r, of the loss on retain data; 2 in those scripts.
        temperature (float): Of the distillation.
        **kwargs: See :class:`Replaying`.
    """

    def __init__(self, weight: float = 0.5, retain_weight: float = 2.0,
                 temperature: float = 2.0, **kwargs) -> None:
        super().__init__(weight=weight, **kwargs)
        require('LwF', retain_weight=(retain_weight, NOT_NEGATIVE),
                temperature=(temperature, POSITIVE))
        self.retain_weight = retain_weight
        self.temperature = temperature

    def loss(self, detector: nn.Module, forget: Batch, retain: Batch) -> dict[str, Tensor]:
        """The three terms."""
        terms, on_retain = self.forget_terms(detector, forget, retain)
        terms['retain_kd_loss'] = self.weight * logit_distillation_loss(
            *self.original.retained_odds(on_retain, retain), self.temperature)
        terms.update(self.retain_terms(detector, on_retain, self.retain_weight))
        return terms
