"""Head masking: forgetting in the last layer alone."""

from collections.abc import Sequence

from torch import nn

from gslora_det.class_rows import fresh_logit, reset_rows_
from gslora_det.methods.base import Images, Method
from gslora_det.options import Rule, require
from gslora_det.readers import reader_of
from gslora_det.registry import METHODS

_PRIOR = Rule('a number between 0 and 1', lambda v: isinstance(v, float) and 0 < v < 1)


@METHODS.register_module()
class HeadMask(Method):
    """Resets the rows of the forgotten classes in the class head.

    Weights become 0 and the bias that of a fresh focal-loss head. Nothing is unlearned:
    everything but these rows still knows the classes. It is the control that a proof of
    forgetting must catch (arXiv 2403.11530, Fig. 6).

    Args:
        prior (float): Score that a fresh head gives to everything; with a softmax, odds
            against the background.
        **kwargs: See :class:`Method`.
    """
    trains = False
    resets_rows = True

    def __init__(self, prior: float = 0.01, **kwargs) -> None:
        super().__init__(**kwargs)
        require('HeadMask', prior=(prior, _PRIOR))
        self.logit = fresh_logit(prior)

    def before_task(self, detector: nn.Module, images: Images) -> None:
        """Resets the rows, for all decoder layers, levels and stages.

        The layer that chooses a two-stage DETR's proposals keeps its own.
        """
        mask_classes_(detector, self.forgotten, self.logit)


def mask_classes_(detector: nn.Module, classes: Sequence[int], logit: float) -> None:
    """Resets the rows of classes in all class layers of a detector."""
    reader = reader_of(detector)
    for layer in reader.class_layers():
        reset_rows_(layer.weight, layer.bias, reader.rows(classes), logit, reader.background)
