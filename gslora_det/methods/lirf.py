"""LIRF*: learning with recoverable forgetting (arXiv 2207.08224), the part that forgets."""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from gslora_det.losses import logit_distillation_loss
from gslora_det.methods.base import OriginalDetector
from gslora_det.methods.replaying import Replaying
from gslora_det.options import NOT_NEGATIVE, POSITIVE, one_of, require
from gslora_det.readers import Batch
from gslora_det.registry import METHODS

LOWER = ('backbone', 'neck', 'encoder')


@METHODS.register_module()
class LIRF(Replaying):
    """The lower half of the network forgets under a frozen upper half.

    ``L = w_f L_det(relabelled forget) - w_a AT(forget) + w_kd KD(retain) + w_r
    L_det(retain)``. The lower half is backbone and neck, or ends with a DETR's
    encoder; the upper half is what comes after it. AT is the distance between the attention
    maps of student and original at the neck (arXiv 1612.03928), which the student shall make
    large on forget data. The deposit module, from which the original method can restore the
    classes, is left out: here they shall not come back. (GS-LoRA's classification code distils
    on forget data and has w_a 300 beside a cross-entropy.)

    Args:
        weight (float): w_a, of the distance of attention maps.
        forget_weight (float): w_f, of the loss on relabelled forget data; 0.9 in GS-LoRA's
            classification scripts.
        distill (float): w_kd, of distillation; 10 in those scripts, on forget data.
        retain_weight (float): w_r, of the loss on retain data; 5 in those scripts.
        temperature (float): Of the distillation; 10 in those scripts.
        up_to (str): With what the lower half ends: ``'backbone'``, ``'neck'`` or
            ``'encoder'``.
        **kwargs: See :class:`Replaying`.

    Raises:
        ValueError: An option is out of range, or the detector has no such part.
    """

    def __init__(self, weight: float = 1.0, forget_weight: float = 0.9, distill: float = 0.1,
                 retain_weight: float = 5.0, temperature: float = 10.0, up_to: str = 'neck',
                 **kwargs) -> None:
        super().__init__(weight=weight, **kwargs)
        require('LIRF', forget_weight=(forget_weight, NOT_NEGATIVE),
                distill=(distill, NOT_NEGATIVE), retain_weight=(retain_weight, NOT_NEGATIVE),
                temperature=(temperature, POSITIVE), up_to=(up_to, one_of(*LOWER)))
        self.forget_weight = forget_weight
        self.distill = distill
        self.retain_weight = retain_weight
        self.temperature = temperature
        self.up_to = up_to

    def prepare(self, detector: nn.Module, original_detector: OriginalDetector) -> None:
        """Freezes the upper half, too."""
        if not hasattr(detector, self.up_to):
            raise ValueError(f'LIRF: up_to={self.up_to!r}, but the detector has no such part')
        lower = LOWER[:LOWER.index(self.up_to) + 1]
        for name, parameter in detector.named_parameters():
            if name.split('.')[0] not in lower:
                parameter.requires_grad_(False)
        super().prepare(detector, original_detector)

    def loss(self, detector: nn.Module, forget: Batch, retain: Batch) -> dict[str, Tensor]:
        """The four terms."""
        terms, on_retain = self.forget_terms(detector, forget, retain, self.forget_weight)
        terms['attention_loss'] = -self.weight * attention_distance(
            forget.features, self.original.teacher.features(forget))
        terms['retain_kd_loss'] = self.distill * logit_distillation_loss(
            *self.original.retained_odds(on_retain, retain), self.temperature)
        terms.update(self.retain_terms(detector, on_retain, self.retain_weight))
        return terms


def attention_distance(student: Sequence[Tensor], teacher: Sequence[Tensor]) -> Tensor:
    """Attention transfer: squared distance of normalised maps of channel energy.

    Args:
        student (list[Tensor]): Features of each level, shape (images, dim, h, w).
        teacher (list[Tensor]): Features of the same shapes.

    Returns:
        Tensor: Sum over places, mean over images and levels; between 0 and 2.
    """
    def maps(level: Tensor) -> Tensor:
        return F.normalize(level.square().mean(1).flatten(1), dim=1)

    distances = [(maps(s) - maps(t)).square().sum(1).mean() for s, t in zip(student, teacher)]
    return sum(distances) / len(distances)
