"""DER++: dark experience replay with labels (Buzzega et al., arXiv 2004.07211)."""

from typing import Dict

from torch import Tensor, nn

from gslora_det.methods.fine_tuning import FineTuning
from gslora_det.methods.relabel import Relabel
from gslora_det.methods.teacher import Original
from gslora_det.options import NOT_NEGATIVE, require
from gslora_det.readers import Batch, prefixed, reader_of
from gslora_det.registry import METHODS


@METHODS.register_module()
class DERPlusPlus(FineTuning):
    """``L = L_det(relabelled forget) + weight ||z - z_original||^2 + w_r L_det(retain)``.

    The distance is that of :class:`DER`, on the same retain batch. (The paper draws one for
    each.)

    Args:
        weight (float): 0.001 in GS-LoRA's scripts, there on a sum over images.
        retain_weight (float): w_r; 0.1 in GS-LoRA's scripts.
        relabel (str): What forgotten objects are taken for, see :class:`Relabel`.
        cache_teachers (bool): See :class:`Original`.
        **kwargs: See :class:`FineTuning`.
    """

    def __init__(self, weight: float = 0.001, retain_weight: float = 0.1,
                 relabel: str = 'background', cache_teachers: bool = False, **kwargs) -> None:
        super().__init__(**kwargs)
        require('DERPlusPlus', weight=(weight, NOT_NEGATIVE),
                retain_weight=(retain_weight, NOT_NEGATIVE))
        self.weight = weight
        self.retain_weight = retain_weight
        self.relabel, self.original = self.parts = (
            Relabel(relabel, self), Original(cache_teachers, self))

    def loss(self, detector: nn.Module, forget: Batch, retain: Batch) -> Dict[str, Tensor]:
        """The data term, the replay term and the detector's loss on the retain batch."""
        reader = reader_of(detector)
        on_forget, on_retain = reader.read(self.relabel(forget), retain)
        forget_terms, _ = reader.losses(on_forget, self.aux_losses, self.relabel.sink)
        retain_terms, _ = reader.losses(on_retain, self.aux_losses)
        student, teacher = self.original.retained_odds(on_retain, retain)
        return dict(
            prefixed('forget_', forget_terms),
            replay_loss=self.weight * (student - teacher).square().sum() / len(retain),
            **prefixed('retain_', retain_terms, self.retain_weight))
