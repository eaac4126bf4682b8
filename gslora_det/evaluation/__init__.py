"""AP by class split, and what is derived from it."""

from gslora_det.evaluation.box_fates import BoxFate, box_fates, class_roles
from gslora_det.evaluation.boxes import Detections, Objects
from gslora_det.evaluation.fate_summary import fate_summary, found_again, lost_share
from gslora_det.evaluation.matching import ComparedImage
from gslora_det.evaluation.measures import LEAST_AP, erased_up_to, h_mean, h_ratio, mean_ap, ratio
from gslora_det.evaluation.recovery import (
    DETECTORS,
    attack_rows,
    beyond_oracle,
    by_detector,
    counted_attacks,
    is_blind,
    most,
)
from gslora_det.evaluation.split_ap import class_ap, split_ap
from gslora_det.evaluation.split_coco_metric import SplitCocoMetric
from gslora_det.evaluation.thresholds import (
    ClassScores,
    class_scores,
    found_above,
    precision,
    same_precision,
)

__all__ = [
    'BoxFate', 'ClassScores', 'ComparedImage', 'DETECTORS', 'Detections', 'LEAST_AP',
    'Objects', 'SplitCocoMetric', 'attack_rows', 'beyond_oracle', 'box_fates', 'by_detector',
    'class_ap', 'class_roles', 'class_scores', 'counted_attacks', 'erased_up_to',
    'fate_summary', 'found_above', 'found_again', 'h_mean', 'h_ratio', 'is_blind', 'lost_share',
    'mean_ap', 'most', 'precision', 'ratio', 'same_precision', 'split_ap',
]
