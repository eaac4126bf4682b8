"""DER: dark experience replay (Buzzega et al., arXiv 2004.07211)."""

from typing import Dict

from torch import Tensor, nn

from gslora_det.methods.fine_tuning import FineTuning
from gslora_det.methods.relabel import Relabel
from gslora_det.methods.teacher import Original
from gslora_det.options import NOT_NEGATIVE, require
from gslora_det.readers import Batch, prefixed, reader_of
from gslora_det.registry import METHODS


@METHODS.register_module()
class DER(FineTuning):
    """``L = L_det(relabelled forget) + weight ||z - z_original||^2`` on retain data.

    The squared distance of the retained classes' logits is summed over places and
    classes and averaged over images.

    Args:
        weight (float): 0.001 in GS-LoRA's scripts, there on a sum over images.
        relabel (str): What forgotten objects are taken for, see :class:`Relabel`.
        cache_teachers (bool): See :class:`Original`.
        **kwargs: See :class:`FineTuning`.
    """

    def __init__(self, weight: float = 0.001, relabel: str = 'background',
                 cache_teachers: bool = False, **kwargs) -> None:
        super().__init__(**kwargs)
        require('DER', weight=(weight, NOT_NEGATIVE))
        self.weight = weight
        self.relabel, self.original = self.parts = (
            Relabel(relabel, self), Original(cache_teachers, self))

    def loss(self, detector: nn.Module, forget: Batch, retain: Batch) -> Dict[str, Tensor]:
        """The data term and the replay term."""
        reader = reader_of(detector)
        on_forget, on_retain = reader.read(self.relabel(forget), retain)
        terms, _ = reader.losses(on_forget, self.aux_losses, self.relabel.sink)
        student, teacher = self.original.retained_odds(on_retain, retain)
        return dict(
            prefixed('forget_', terms),
            replay_loss=self.weight * (student - teacher).square().sum() / len(retain))
