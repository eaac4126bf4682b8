"""The loss of GS-LoRA without LoRA."""

import copy

from torch import Tensor, nn

from gslora_det.methods.base import OriginalDetector
from gslora_det.methods.fine_tuning import freeze_
from gslora_det.methods.gs_lora import GSLoRA
from gslora_det.methods.teacher import Teacher
from gslora_det.registry import METHODS


@METHODS.register_module()
class AllWeights(GSLoRA):
    """Trains the detector's own weights on the loss of :class:`GSLoRA`.

    A control: what is due to the loss, and what to LoRA? All that the detector's config trains
    does, but heads and batch norms; there are no groups, and so no structure term.

    Args:
        **kwargs: See :class:`GSLoRA`. What it says of LoRA has no effect.
    """

    def prepare(self, detector: nn.Module, original_detector: OriginalDetector) -> None:
        """Freezes heads and batch norms, and keeps the detector as it is now."""
        freeze_(detector)
        self.groups = []
        before = Teacher(copy.deepcopy(detector).eval().requires_grad_(False))
        self.compare_with(before, Teacher(original_detector()) if self.old else None, detector)

    def adapter(self, detector: nn.Module) -> tuple[dict[str, Tensor], dict[str, str]]:
        """Nothing: the update has no form of its own."""
        return {}, {}
