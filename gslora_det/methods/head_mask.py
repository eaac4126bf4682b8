"""Head masking: forgetting in the last layer alone."""

import math
from typing import Sequence

import torch
from torch import nn

from gslora_det.methods.base import Images, Method
from gslora_det.models.detr_step import class_layers
from gslora_det.options import Rule, require
from gslora_det.registry import METHODS

_PRIOR = Rule('a number between 0 and 1', lambda v: isinstance(v, float) and 0 < v < 1)


@METHODS.register_module()
class HeadMask(Method):
    """Resets the rows of the forgotten classes in the class head.

    Weights become 0 and the bias that of a fresh focal-loss head. Nothing is unlearned:
    everything but these rows still knows the classes. It is the control that a proof of
    forgetting must catch (arXiv 2403.11530, Fig. 6).

    Args:
        prior (float): Score that a fresh head gives to everything.
        **kwargs: See :class:`Method`.
    """
    trains = False

    def __init__(self, prior: float = 0.01, **kwargs) -> None:
        super().__init__(**kwargs)
        require('HeadMask', prior=(prior, _PRIOR))
        self.bias = fresh_bias(prior)

    def before_task(self, detector: nn.Module, images: Images) -> None:
        """Resets the rows, for all decoder layers."""
        reset_rows_(class_layers(detector.bbox_head), self.forgotten, self.bias)


def fresh_bias(prior: float = 0.01) -> float:
    """The bias of a fresh focal-loss head, by which everything has this score."""
    return -math.log((1 - prior) / prior)


@torch.no_grad()
def reset_rows_(layers: Sequence[nn.Linear], rows: Sequence[int], bias: float) -> None:
    """Resets rows of class layers in place: they say the same of everything."""
    for layer in layers:
        layer.weight[rows] = 0
        layer.bias[rows] = bias
