"""AP by class split, and what is derived from it."""

from gslora_det.evaluation.box_fates import BoxFate, erased_boxes
from gslora_det.evaluation.h_mean import h_mean
from gslora_det.evaluation.split_ap import class_ap, split_ap
from gslora_det.evaluation.split_coco_metric import SplitCocoMetric

__all__ = ['BoxFate', 'erased_boxes', 'SplitCocoMetric', 'class_ap', 'h_mean', 'split_ap']
