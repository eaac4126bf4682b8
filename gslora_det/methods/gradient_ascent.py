"""Gradient ascent: the training of the forgotten classes, backwards."""

from torch import Tensor, nn

from gslora_det.methods.fine_tuning import FineTuning
from gslora_det.readers import Batch, reader_of
from gslora_det.registry import METHODS


@METHODS.register_module()
class GradientAscent(FineTuning):
    """Ascends the detector's loss on forget data: ``L = -L_det(forget)``, unbounded.

    Args:
        aux_losses (bool): As of :class:`FineTuning`; on by default, as in GS-LoRA's scripts.
        **kwargs: See :class:`FineTuning`. ``freeze`` is empty by default.
    """
    branches = ('forget',)
    default_freeze = ()

    def __init__(self, aux_losses: bool = True, **kwargs) -> None:
        super().__init__(aux_losses=aux_losses, **kwargs)

    def loss(self, detector: nn.Module, forget: Batch, retain: None) -> dict[str, Tensor]:
        """The negative of the detector's loss on the forget batch."""
        reader = reader_of(detector)
        reading, = reader.read(forget)
        terms, _ = reader.losses(reading, self.aux_losses)
        return {name: -term for name, term in terms.items()}
