"""What the methods share that train the detector's own weights."""

from fnmatch import fnmatch
from typing import Callable, Dict, Sequence

from mmengine.utils.dl_utils.parrots_wrapper import _BatchNorm
from torch import Tensor, nn

from gslora_det.methods.base import Method
from gslora_det.methods.relabel import WAYS, Relabel
from gslora_det.models.detr_step import Batch, join, query_outputs
from gslora_det.options import FLAG, one_of, require


class FineTuning(Method):
    """Base of methods that train the weights which the detector's config trains.

    Args:
        freeze (list[str]): Patterns of parameter names that stay as they are; the heads
            by default, as in the published comparison.
        freeze_norms (bool): Batch norms stay as they are, as in DETR.
        relabel (str): What forgotten objects are taken for, see :class:`Relabel`.
        aux_losses (bool): Supervise all decoder layers.
        **kwargs: See :class:`Method`.

    Raises:
        ValueError: An option is out of range.
    """

    def __init__(self, freeze: Sequence[str] = ('bbox_head.*',), freeze_norms: bool = True,
                 relabel: str = 'background', aux_losses: bool = False, **kwargs) -> None:
        super().__init__(**kwargs)
        require(type(self).__name__, freeze_norms=(freeze_norms, FLAG),
                aux_losses=(aux_losses, FLAG), relabel=(relabel, one_of(*WAYS)))
        self.freeze = freeze
        self.freeze_norms = freeze_norms
        self.relabel = Relabel(relabel, self.retained)
        self.aux_losses = aux_losses

    def prepare(self, detector: nn.Module,
                original_detector: Callable[..., nn.Module]) -> None:
        """Freezes what does not train."""
        for name, parameter in detector.named_parameters():
            if any(fnmatch(name, pattern) for pattern in self.freeze):
                parameter.requires_grad_(False)
        for module in detector.modules():
            if self.freeze_norms and isinstance(module, _BatchNorm):
                module.requires_grad_(False)
        self.relabel.prepare(detector)

    def union_terms(self, detector: nn.Module, forget: Batch,
                    retain: Batch) -> Dict[str, Tensor]:
        """The detector's loss on the retain batch and the relabelled forget batch as one."""
        union = join(self.relabel(forget), retain)
        outputs, = query_outputs(detector, union)
        return self.relabel.terms(detector.bbox_head, outputs, union.data_samples,
                                  self.aux_losses)
