"""The boxes of one image: what is there, what a detector finds, and how they overlap."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch
from mmdet.structures.bbox import bbox_overlaps


class Objects(NamedTuple):
    """The ground truth of one image; boxes are xyxy in pixels of the original image.

    Attributes:
        bboxes: (N, 4), the objects.
        labels: (N,), their classes.
        crowd_bboxes: (C, 4), regions with many objects, which are not told apart.
        crowd_labels: (C,), their classes.
    """

    bboxes: np.ndarray
    labels: np.ndarray
    crowd_bboxes: np.ndarray = np.zeros((0, 4))
    crowd_labels: np.ndarray = np.zeros(0, int)

    @classmethod
    def of(cls, info: Mapping) -> 'Objects':
        """Reads what ``get_data_info`` of an MMDet data set gives for one image."""
        fields = []
        for crowd in (False, True):
            found = [i for i in info['instances'] if bool(i['ignore_flag']) == crowd]
            fields += [np.array([i['bbox'] for i in found], float).reshape(-1, 4),
                       np.array([i['bbox_label'] for i in found], int)]
        return cls(*fields)


class Detections(NamedTuple):
    """Boxes (N, 4), scores (N,) and labels (N,) of one image, as numpy arrays."""

    bboxes: np.ndarray
    scores: np.ndarray
    labels: np.ndarray

    @classmethod
    def of(cls, instances) -> 'Detections':
        """Reads an object with numpy or torch fields of these names."""
        fields = (instances.bboxes, instances.scores, instances.labels)
        bboxes, scores, labels = (
            x.detach().cpu().numpy() if hasattr(x, 'detach') else np.asarray(x)
            for x in fields
        )
        return cls(bboxes.reshape(-1, 4).astype(float), scores.astype(float), labels.astype(int))


def overlaps(a: np.ndarray, b: np.ndarray, mode: str = 'iou') -> np.ndarray:
    """(N, M) IoU of each pair of the boxes ``a`` (N, 4) and ``b`` (M, 4).

    With ``mode='iof'`` their common area is taken as a share of the box in ``a``.
    """
    return bbox_overlaps(torch.from_numpy(a), torch.from_numpy(b), mode).numpy()
