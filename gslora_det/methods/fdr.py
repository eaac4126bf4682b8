"""FDR: function distance regularisation (Benjamin et al., arXiv 1805.08289)."""

from typing import Dict

from torch import Tensor, nn

from gslora_det.methods.fine_tuning import FineTuning
from gslora_det.methods.relabel import Relabel
from gslora_det.methods.teacher import Original
from gslora_det.options import NOT_NEGATIVE, require
from gslora_det.readers import Batch, prefixed, reader_of
from gslora_det.registry import METHODS


@METHODS.register_module()
class FDR(FineTuning):
    """``L = L_det(relabelled forget) + weight mean ||z - z_original||_2`` on retain data.

    The norm is over the retained classes' logits of a place, the mean over places and
    images (GS-LoRA's code takes the norm over queries).

    Args:
        weight (float): 5 in GS-LoRA's scripts.
        relabel (str): What forgotten objects are taken for, see :class:`Relabel`.
        cache_teachers (bool): See :class:`Original`.
        **kwargs: See :class:`FineTuning`.
    """

    def __init__(self, weight: float = 5.0, relabel: str = 'background',
                 cache_teachers: bool = False, **kwargs) -> None:
        super().__init__(**kwargs)
        require('FDR', weight=(weight, NOT_NEGATIVE))
        self.weight = weight
        self.relabel, self.original = self.parts = (
            Relabel(relabel, self), Original(cache_teachers, self))

    def loss(self, detector: nn.Module, forget: Batch, retain: Batch) -> Dict[str, Tensor]:
        """The data term and the distance."""
        reader = reader_of(detector)
        on_forget, on_retain = reader.read(self.relabel(forget), retain)
        terms, _ = reader.losses(on_forget, self.aux_losses, self.relabel.sink)
        student, teacher = self.original.retained_odds(on_retain, retain)
        return dict(prefixed('forget_', terms),
                    distance_loss=self.weight * (student - teacher).norm(dim=-1).mean())
