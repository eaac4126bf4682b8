"""Which detection of an image finds which object, whatever its score."""

from typing import NamedTuple

import numpy as np

from gslora_det.evaluation.boxes import Detections, Objects, overlaps

IOU_THR = 0.5


class Matches(NamedTuple):
    """What one detector finds in one image of N objects, with M detections.

    A greedy matching by falling score looks at what lies above a threshold before anything
    below it, so that one matching serves every threshold: see :func:`above`.

    Attributes:
        iou: (N, M) IoU of objects and detections.
        own: (N,) index of the detection that finds each object as its class, or -1.
        anything: (N,) the same where the class does not count.
        in_crowd: (M,) whether a detection lies in a crowd of its class: it is not wrong.
    """

    iou: np.ndarray
    own: np.ndarray
    anything: np.ndarray
    in_crowd: np.ndarray


def match(objects: Objects, found: Detections) -> Matches:
    """Matches objects and detections one to one, at an IoU of at least ``IOU_THR``.

    Those of a class are matched as COCO does it for AP; see :func:`greedy`.
    """
    iou = overlaps(objects.bboxes, found.bboxes)
    crowd = overlaps(found.bboxes, objects.crowd_bboxes, 'iof') >= IOU_THR
    return Matches(
        iou, greedy(iou * (objects.labels[:, None] == found.labels), found.scores),
        greedy(iou, found.scores),
        (crowd & (found.labels[:, None] == objects.crowd_labels)).any(1))


class ComparedImage(NamedTuple):
    """One image, and what the original and the unlearned detector find in it, matched once.

    Attributes:
        objects: The ground truth.
        detections: Of the original, and of the unlearned detector.
        matched: The :class:`Matches` of both.
    """

    objects: Objects
    detections: tuple[Detections, Detections]
    matched: tuple[Matches, Matches]

    @classmethod
    def of(cls, objects: Objects, before: Detections, after: Detections) -> 'ComparedImage':
        """Matches what both find."""
        return cls(objects, (before, after), (match(objects, before), match(objects, after)))


def greedy(iou: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """COCO's greedy matching: by falling score, each detection takes the free object
    that it overlaps most, if their IoU is at least ``IOU_THR``.

    Args:
        iou: (N, M) IoU of objects and detections, 0 where they cannot match.
        scores: (M,) scores of the detections.

    Returns:
        (N,) index of the detection that each object got, or -1.
    """
    matched = np.full(len(iou), -1)
    order = np.argsort(-scores, kind='stable')
    for detection in order[(iou.max(0, initial=0.0) >= IOU_THR)[order]]:
        free = np.where(matched < 0, iou[:, detection], 0.0)
        if free.max() >= IOU_THR:
            matched[free.argmax()] = detection
    return matched


def scores_of(matched: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """(N,) the score with which each object is found; minus infinity where it is not."""
    return np.append(scores, -np.inf)[matched]


def above(matched: np.ndarray, scores: np.ndarray, score_thr: float) -> np.ndarray:
    """(N,) the matching of the detections with a score above a threshold alone."""
    return np.where(scores_of(matched, scores) > score_thr, matched, -1)
