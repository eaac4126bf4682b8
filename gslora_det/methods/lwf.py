"""LwF: learning without forgetting (Li and Hoiem, arXiv 1606.09282)."""

from typing import Dict

from torch import Tensor, nn

from gslora_det.losses import logit_distillation_loss
from gslora_det.methods.fine_tuning import FineTuning
from gslora_det.methods.relabel import Relabel
from gslora_det.methods.teacher import Original
from gslora_det.options import NOT_NEGATIVE, POSITIVE, require
from gslora_det.readers import Batch, prefixed, reader_of
from gslora_det.registry import METHODS


@METHODS.register_module()
class LwF(FineTuning):
    """``L = L_det(relabelled forget) + w_kd KD(retain) + w_r L_det(retain)``.

    KD is :func:`logit_distillation_loss` on the retained classes. (The paper has no old data
    and distils on the new task's; retain data, as GS-LoRA's code has it, are the stronger
    hold.)

    Args:
        weight (float): w_kd; 0.5 in GS-LoRA's classification scripts.
        retain_weight (float): w_r; 2 in those scripts.
        temperature (float): Of the distillation.
        relabel (str): What forgotten objects are taken for, see :class:`Relabel`.
        cache_teachers (bool): See :class:`Original`.
        **kwargs: See :class:`FineTuning`.
    """

    def __init__(self, weight: float = 0.5, retain_weight: float = 2.0,
                 temperature: float = 2.0, relabel: str = 'background',
                 cache_teachers: bool = False, **kwargs) -> None:
        super().__init__(**kwargs)
        require('LwF', weight=(weight, NOT_NEGATIVE),
                retain_weight=(retain_weight, NOT_NEGATIVE),
                temperature=(temperature, POSITIVE))
        self.weight = weight
        self.retain_weight = retain_weight
        self.temperature = temperature
        self.relabel, self.original = self.parts = (
            Relabel(relabel, self), Original(cache_teachers, self))

    def loss(self, detector: nn.Module, forget: Batch, retain: Batch) -> Dict[str, Tensor]:
        """The three terms."""
        reader = reader_of(detector)
        on_forget, on_retain = reader.read(self.relabel(forget), retain)
        forget_terms, _ = reader.losses(on_forget, self.aux_losses, self.relabel.sink)
        retain_terms, _ = reader.losses(on_retain, self.aux_losses)
        return dict(
            prefixed('forget_', forget_terms),
            retain_kd_loss=self.weight * logit_distillation_loss(
                *self.original.retained_odds(on_retain, retain), self.temperature),
            **prefixed('retain_', retain_terms, self.retain_weight))
