"""Rehearsal: train on, with retain data only."""

from torch import Tensor, nn

from gslora_det.methods.fine_tuning import FineTuning
from gslora_det.readers import Batch, reader_of
from gslora_det.registry import METHODS


@METHODS.register_module()
class RehearsalFinetune(FineTuning):
    """Fine-tunes all weights on retain data: ``L = L_det(retain)``.

    Forgotten objects in retain images are unlabelled, that is, background.

    Args:
        aux_losses (bool): As of :class:`FineTuning`; on by default, as in GS-LoRA's scripts.
        **kwargs: See :class:`FineTuning`. ``freeze`` is empty by default.
    """
    branches = ('retain',)
    default_freeze = ()

    def __init__(self, aux_losses: bool = True, **kwargs) -> None:
        super().__init__(aux_losses=aux_losses, **kwargs)

    def loss(self, detector: nn.Module, forget: None, retain: Batch) -> dict[str, Tensor]:
        """The detector's own loss on the retain batch."""
        reader = reader_of(detector)
        reading, = reader.read(retain)
        return reader.losses(reading, self.aux_losses).terms
