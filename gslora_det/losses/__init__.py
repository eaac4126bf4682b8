from gslora_det.losses.distillation import (
    box_distillation_loss,
    hold_loss,
    logit_distillation_loss,
)
from gslora_det.losses.forget import (
    bounded_forget_loss,
    margin_forget_loss,
    positive_focal_loss,
)
from gslora_det.losses.group_sparse import group_soft_threshold_, group_sparse_loss
from gslora_det.losses.label_agnostic import alignment_loss, squashed_error
from gslora_det.losses.linear_erasure import ErasureMap
from gslora_det.losses.prototype import prototype_divergence

__all__ = [
    'ErasureMap', 'alignment_loss', 'bounded_forget_loss', 'box_distillation_loss',
    'group_soft_threshold_', 'group_sparse_loss', 'hold_loss', 'logit_distillation_loss',
    'margin_forget_loss', 'positive_focal_loss', 'prototype_divergence', 'squashed_error'
]
