"""What the methods share that train the detector's own weights."""

from collections.abc import Sequence
from fnmatch import filter as matching

from mmengine.utils.dl_utils.parrots_wrapper import _BatchNorm
from torch import nn

from gslora_det.methods.base import Method, OriginalDetector, Part
from gslora_det.options import FLAG, STRINGS, require

HEADS = ('bbox_head.*', 'roi_head.*', 'rpn_head.*')


def freeze_(detector: nn.Module, patterns: Sequence[str] = HEADS, norms: bool = True) -> None:
    """Freezes the parameters whose names fit a pattern and, with ``norms``, batch norms."""
    parameters = dict(detector.named_parameters())
    for pattern in patterns:
        for name in matching(parameters, pattern):
            parameters[name].requires_grad_(False)
    for module in detector.modules():
        if norms and isinstance(module, _BatchNorm):
            module.requires_grad_(False)


class FineTuning(Method):
    """Base of methods that train the weights which the detector's config trains.

    Args:
        freeze (list[str], optional): Patterns of the names of parameters that stay as they are;
            by default all of the heads.
        freeze_norms (bool): Batch norms stay as they are, as in DETR.
        aux_losses (bool): Supervise all decoder layers of a DETR.
        **kwargs: See :class:`Method`.

    Attributes:
        default_freeze (tuple[str]): The heads, as in the published comparison. A detector
            need not have them all.
        parts (tuple[Part]): What the method has, in the order in which it is prepared.

    Raises:
        ValueError: An option is out of range, or a pattern of ``freeze`` fits nothing.
    """
    default_freeze: tuple[str, ...] = HEADS
    parts: tuple[Part, ...] = ()

    def __init__(self, freeze: Sequence[str] | None = None, freeze_norms: bool = True,
                 aux_losses: bool = False, **kwargs) -> None:
        super().__init__(**kwargs)
        self.freeze = self.default_freeze if freeze is None else freeze
        require(type(self).__name__, freeze=(self.freeze, STRINGS),
                freeze_norms=(freeze_norms, FLAG), aux_losses=(aux_losses, FLAG))
        self.freeze_norms = freeze_norms
        self.aux_losses = aux_losses

    def prepare(self, detector: nn.Module, original_detector: OriginalDetector) -> None:
        """Freezes what does not train, and prepares the parts."""
        names = [name for name, _ in detector.named_parameters()]
        unknown = [each for each in self.freeze if not matching(names, each)]
        if unknown and self.freeze is not self.default_freeze:
            raise ValueError(
                f"{type(self).__name__}: freeze has '{unknown[0]}', which fits no parameter; "
                f"they have names such as '{names[0]}'")
        freeze_(detector, self.freeze, self.freeze_norms)
        for part in self.parts:
            part.prepare(detector, original_detector)

    def state_dict(self) -> dict:
        """The state of the parts."""
        return {name: value for part in self.parts for name, value in part.state_dict().items()}

    def load_state_dict(self, state: dict) -> None:
        """Restores :meth:`state_dict`."""
        for part in self.parts:
            part.load_state_dict(state)
