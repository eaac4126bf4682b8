"""What the methods share that train the detector's own weights."""

from fnmatch import filter as matching
from typing import Callable, Dict, Optional, Sequence, Tuple

from mmengine.utils.dl_utils.parrots_wrapper import _BatchNorm
from torch import Tensor, nn

from gslora_det.methods.base import Method
from gslora_det.methods.relabel import WAYS, Relabel
from gslora_det.models.detr_step import Batch, join, query_outputs
from gslora_det.options import FLAG, STRINGS, one_of, require


class FineTuning(Method):
    """Base of methods that train the weights which the detector's config trains.

    Args:
        freeze (list[str], optional): Patterns of parameter names that stay as they are;
            ``default_freeze`` by default.
        freeze_norms (bool): Batch norms stay as they are, as in DETR.
        aux_losses (bool): Supervise all decoder layers.
        **kwargs: See :class:`Method`.

    Attributes:
        default_freeze (tuple[str]): The heads, as in the published comparison. A detector
            need not have them all.

    Raises:
        ValueError: An option is out of range, or a pattern of ``freeze`` fits nothing.
    """
    default_freeze: Tuple[str, ...] = ('bbox_head.*',)

    def __init__(self, freeze: Optional[Sequence[str]] = None, freeze_norms: bool = True,
                 aux_losses: bool = False, **kwargs) -> None:
        super().__init__(**kwargs)
        self.freeze = self.default_freeze if freeze is None else freeze
        require(type(self).__name__, freeze=(self.freeze, STRINGS),
                freeze_norms=(freeze_norms, FLAG), aux_losses=(aux_losses, FLAG))
        self.freeze_norms = freeze_norms
        self.aux_losses = aux_losses

    def prepare(self, detector: nn.Module,
                original_detector: Callable[..., nn.Module]) -> None:
        """Freezes what does not train."""
        parameters = dict(detector.named_parameters())
        for pattern in self.freeze:
            found = matching(parameters, pattern)
            if not found and pattern not in self.default_freeze:
                raise ValueError(
                    f"{type(self).__name__}: freeze has '{pattern}', which fits no parameter; "
                    f"they have names such as '{next(iter(parameters))}'")
            for name in found:
                parameters[name].requires_grad_(False)
        for module in detector.modules():
            if self.freeze_norms and isinstance(module, _BatchNorm):
                module.requires_grad_(False)


class Relabelling(FineTuning):
    """Base of those that take forgotten objects for something else.

    Args:
        relabel (str): What for, see :class:`Relabel`.
        **kwargs: See :class:`FineTuning`.
    """

    def __init__(self, relabel: str = 'background', **kwargs) -> None:
        super().__init__(**kwargs)
        require(type(self).__name__, relabel=(relabel, one_of(*WAYS)))
        self.relabel = Relabel(relabel, [c for c in self.retained if c not in self.missing])

    def prepare(self, detector: nn.Module,
                original_detector: Callable[..., nn.Module]) -> None:
        """Freezes what does not train, and draws the sink."""
        super().prepare(detector, original_detector)
        self.relabel.prepare(detector)

    def union_terms(self, detector: nn.Module, forget: Batch,
                    retain: Batch) -> Dict[str, Tensor]:
        """The detector's loss on the retain batch and the relabelled forget batch as one."""
        union = join(self.relabel(forget), retain)
        outputs, = query_outputs(detector, union)
        return self.relabel.terms(detector.bbox_head, outputs, union.data_samples,
                                  self.aux_losses)
