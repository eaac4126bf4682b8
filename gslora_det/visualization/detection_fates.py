"""What became of the boxes that were to be erased."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

IOU_THR = 0.5


class BoxFate(NamedTuple):
    """What became of one box of a class that was to be erased.

    Attributes:
        index: Index of the box in the original model's detections.
        fate: ``'erased'`` (nothing is found there), ``'renamed'`` (a new detection
            of another class took its place) or ``'survived'``.
        match: Index of the detection that took its place or survived, or None.
    """

    index: int
    fate: str
    match: int | None


class Detections(NamedTuple):
    """Boxes (N, 4), scores (N,) and labels (N,) of one image, as numpy arrays."""

    bboxes: np.ndarray
    scores: np.ndarray
    labels: np.ndarray

    @classmethod
    def of(cls, instances) -> Detections:
        """Reads an object with numpy or torch fields of these names."""
        fields = (instances.bboxes, instances.scores, instances.labels)
        bboxes, scores, labels = (
            x.detach().cpu().numpy() if hasattr(x, 'detach') else np.asarray(x)
            for x in fields
        )
        return cls(bboxes.reshape(-1, 4).astype(float), scores, labels.astype(int))


def _pairwise_iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    inter = (high - low).clip(min=0).prod(-1)
    area_a, area_b = ((x[:, 2:] - x[:, :2]).prod(-1) for x in (a, b))
    return inter / np.maximum(area_a[:, None] + area_b[None] - inter, 1e-9)


def counterparts(before, after, score_thr, iou_thr):
    """Which detections of both models lie on the same object.

    Returns:
        (N, M) IoU, 0 below either threshold; (N, M) whether the classes agree; (M,)
        whether the original model made this detection too.
    """
    iou = _pairwise_iou(before.bboxes, after.bboxes)
    shown = (before.scores > score_thr)[:, None] & (after.scores > score_thr)[None]
    iou = np.where(shown & (iou >= iou_thr), iou, 0.0)
    same = before.labels[:, None] == after.labels[None]
    return iou, same, ((iou > 0) & same).any(0)


def erased_boxes(
    before, after, erased_labels, score_thr: float, iou_thr: float = IOU_THR
) -> list[BoxFate]:
    """Tell what became of each box that was to be erased.

    A box survives while any detection of its class above the threshold overlaps it.
    It is renamed if a detection of another class does which the original model did
    not make there: the rider on an erased horse is not the horse's new name.

    Args:
        before: The original model's detections, with ``bboxes`` (N, 4) as xyxy in
            pixels, ``scores`` (N,) and ``labels`` (N,), numpy or torch.
        after: The unlearned model's detections of the same image.
        erased_labels: Labels of the forgotten and old classes.
        score_thr: Only detections with a score above it count, on both sides.
        iou_thr: Least IoU of two boxes on the same object.

    Returns:
        One entry for each box of ``before`` above the threshold with such a label.
    """
    before, after = Detections.of(before), Detections.of(after)
    iou, same, was_there = counterparts(before, after, score_thr, iou_thr)
    concerned = (before.scores > score_thr) & np.isin(
        before.labels, list(erased_labels)
    )
    fates = []
    for i in np.flatnonzero(concerned).tolist():
        survivors = np.where(same[i], iou[i], 0.0)
        newcomers = np.where(same[i] | was_there, 0.0, iou[i])
        if survivors.any():
            fates.append(BoxFate(i, 'survived', int(survivors.argmax())))
        elif newcomers.any():
            fates.append(BoxFate(i, 'renamed', int(newcomers.argmax())))
        else:
            fates.append(BoxFate(i, 'erased', None))
    return fates
