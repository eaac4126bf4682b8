"""What the methods share that relabel forgotten objects and replay what the original says."""

from torch import Tensor, nn

from gslora_det.methods.fine_tuning import FineTuning
from gslora_det.methods.relabel import Relabel
from gslora_det.methods.teacher import Original
from gslora_det.options import NOT_NEGATIVE, require
from gslora_det.readers import Batch, Reading, prefixed, reader_of


class Replaying(FineTuning):
    """Base of methods with wrong labels on forget data and a teacher on retain data.

    Args:
        weight (float): Weight of the term that compares with the teacher, or of another one.
        relabel (str): What forgotten objects are taken for: ``'background'``, they are left out;
            ``'random'``, a retained class; or ``'sink'``, a class of its own in training only,
            see :class:`Relabel`.
        cache_teachers (bool): Remember by image what the original says. Only right where the
            training pipeline has no random augmentation.
        **kwargs: See :class:`FineTuning`.
    """

    def __init__(self, weight: float, relabel: str = 'background', cache_teachers: bool = False,
                 **kwargs) -> None:
        super().__init__(**kwargs)
        require(type(self).__name__, weight=(weight, NOT_NEGATIVE))
        self.weight = weight
        self.relabel, self.original = self.parts = (
            Relabel(relabel, self), Original(cache_teachers, self))

    def forget_terms(self, detector: nn.Module, forget: Batch, retain: Batch,
                     weight: float = 1.0) -> tuple[dict[str, Tensor], Reading]:
        """``L_det(relabelled forget)``, and what is read of the retain batch on the way."""
        reader = reader_of(detector)
        on_forget, on_retain = reader.read(self.relabel(forget), retain)
        terms, _ = reader.losses(on_forget, self.aux_losses, self.relabel.sink)
        return prefixed('forget_', terms, weight), on_retain

    def retain_terms(self, detector: nn.Module, on_retain: Reading,
                     weight: float) -> dict[str, Tensor]:
        """``L_det(retain)``."""
        terms, _ = reader_of(detector).losses(on_retain, self.aux_losses)
        return prefixed('retain_', terms, weight)
