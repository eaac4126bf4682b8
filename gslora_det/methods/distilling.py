"""What the methods share that compare with the original detector."""

from typing import Callable, Dict, Tuple

from torch import Tensor, nn

from gslora_det.methods.fine_tuning import FineTuning, Relabelling
from gslora_det.methods.teacher import Memory, Teacher
from gslora_det.models.detr_step import Batch, QueryOutputs, detection_terms, query_outputs
from gslora_det.options import FLAG, require


class Distilling(FineTuning):
    """Base of methods with a frozen teacher: the detector before any erasure.

    Only classes that are still retained are compared on retain data: of classes erased
    earlier, the original would bring back what is gone.

    Args:
        cache_teachers (bool): Remember by image what the teacher says. Only right where
            the training pipeline has no random augmentation.
        **kwargs: See :class:`FineTuning`.
    """

    def __init__(self, cache_teachers: bool = False, **kwargs) -> None:
        super().__init__(**kwargs)
        require(type(self).__name__, cache_teachers=(cache_teachers, FLAG))
        self.cache_teachers = cache_teachers

    def prepare(self, detector: nn.Module,
                original_detector: Callable[..., nn.Module]) -> None:
        """Keeps the teacher and freezes what does not train."""
        self.teacher = Teacher(original_detector())
        self.teach = Memory(self.teacher, detector) if self.cache_teachers else self.teacher
        super().prepare(detector, original_detector)

    def retain_terms(self, detector: nn.Module, outputs: QueryOutputs, retain: Batch,
                     weight: float) -> Dict[str, Tensor]:
        """The detector's own weighted loss on the retain batch."""
        terms = detection_terms(detector.bbox_head, outputs, retain.data_samples,
                                self.aux_losses, prefix='retain_')
        return {name: weight * term for name, term in terms.items()}

    def retained_logits(self, outputs: QueryOutputs, batch: Batch) -> Tuple[Tensor, Tensor]:
        """Last-layer logits of the retained classes: the student's, the teacher's."""
        taught = self.teach(batch, outputs.proposals).logits
        return outputs.logits[-1][..., self.retained], taught[..., self.retained]

    def state_dict(self) -> dict:
        """What the teacher said so far: a resumed run compares with the same numbers."""
        return dict(seen=self.teach.seen) if self.cache_teachers else {}

    def load_state_dict(self, state: dict) -> None:
        """Restores :meth:`state_dict`."""
        if self.cache_teachers:
            self.teach.seen = state['seen']


class RelabelledDistilling(Relabelling, Distilling):
    """Base of those that also take forgotten objects for something else.

    Args:
        **kwargs: See :class:`Relabelling` and :class:`Distilling`.
    """

    def forget_terms(self, detector: nn.Module, forget: Batch, retain: Batch,
                     weight: float = 1.0) -> Tuple[Dict[str, Tensor], QueryOutputs]:
        """The weighted loss on the relabelled forget batch, and the retain outputs."""
        forget = self.relabel(forget)
        on_forget, on_retain = query_outputs(detector, forget, retain)
        terms = self.relabel.terms(detector.bbox_head, on_forget, forget.data_samples,
                                   self.aux_losses, prefix='forget_')
        return {name: weight * term for name, term in terms.items()}, on_retain
