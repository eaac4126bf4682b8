"""AP by class split, and what is derived from it."""

from .h_mean import h_mean
from .split_ap import class_ap, split_ap
from .split_coco_metric import SplitCocoMetric

__all__ = ['SplitCocoMetric', 'class_ap', 'h_mean', 'split_ap']
