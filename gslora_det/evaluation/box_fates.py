"""What became of every object of an image when classes were erased."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from gslora_det.class_names import resolve_classes
from gslora_det.evaluation.boxes import Detections, Objects, overlaps

IOU_THR = 0.5
ROLES = ('forgotten', 'old', 'retained')
FATES = ('erased', 'renamed', 'survived', 'kept', 'lost', 'ghost', 'missed')
UNWANTED = ('renamed', 'survived', 'lost', 'ghost')


class BoxFate(NamedTuple):
    """What became of one object, or one detection without an object.

    Attributes:
        fate: Of a forgotten or old class: ``'erased'`` (nothing finds it any more) or
            ``'survived'`` (its class still does). Of a retained class: ``'kept'`` or
            ``'lost'``. Of any: ``'renamed'`` (it is found as another class only) or
            ``'missed'`` (the original did not find it either). A new detection where
            its class has no object is a ``'ghost'``.
        label: The object's class; a ghost's is the class that it is found as.
        index: Index of the object in the ground truth, None for a ghost.
        before: Index of the original's detection of it as its class, or None.
        after: Index of the unlearned model's detection of it, whatever its class, or
            of the ghost, or None.
        new_label: The class that a renamed object is found as now, else None.
        seen: Whether some detection of the original, and of the unlearned model, lies
            on the object, whatever its class.
    """

    fate: str
    label: int
    index: int | None = None
    before: int | None = None
    after: int | None = None
    new_label: int | None = None
    seen: tuple[bool, bool] = (False, False)


def class_roles(
    classes: Sequence[str], forgotten: Sequence[str], old: Sequence[str] = ()
) -> tuple[str, ...]:
    """The role of each class by label: ``'forgotten'``, ``'old'`` or ``'retained'``.

    Raises:
        ValueError: If a name is none of ``classes``, or given twice.
    """
    for role, names in (('forgotten', forgotten), ('old', old)):
        if len(names):
            resolve_classes(names, classes, where=role)
    return tuple('forgotten' if name in forgotten else 'old' if name in old else 'retained'
                 for name in classes)


def _match(iou: np.ndarray, scores: np.ndarray) -> np.ndarray:
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


def _ghosts(objects: Objects, before: Detections, after: Detections, score_thr: float):
    """(M,) whether a detection is new and there is no object of its class, nor a crowd."""

    def meets(labels, overlap):
        return ((overlap >= IOU_THR) & (labels[:, None] == after.labels)).any(0)

    confident = before.scores > score_thr
    in_crowd = overlaps(after.bboxes, objects.crowd_bboxes, 'iof').T
    explained = (
        meets(objects.labels, overlaps(objects.bboxes, after.bboxes))
        | meets(objects.crowd_labels, in_crowd)
        | meets(before.labels[confident], overlaps(before.bboxes[confident], after.bboxes))
    )
    return (after.scores > score_thr) & ~explained


def box_fates(objects: Objects, before: Detections, after: Detections, roles: Sequence[str],
              score_thr: float = 0.3) -> list[BoxFate]:
    """Tell what became of each object of one image, and list the ghosts.

    Detections and objects of a class are matched one to one, greedily by score as
    COCO does. A detection that the matching leaves over renames the object that it
    overlaps most, if that object lost its own: the rider, whose detection is matched
    to the rider, is not the new name of an erased horse.

    Args:
        objects: The ground truth.
        before: The original model's detections.
        after: The unlearned model's detections.
        roles: Role of each class by label, see :func:`class_roles`.
        score_thr: Only detections with a score above it count, on both sides.

    Returns:
        The fates of all objects, in their order, then those of the ghosts.
    """
    ious = [overlaps(objects.bboxes, found.bboxes) * (found.scores > score_thr)
            for found in (before, after)]
    same = [objects.labels[:, None] == found.labels for found in (before, after)]
    own_before, own_after = (_match(iou * agree, found.scores)
                             for iou, agree, found in zip(ious, same, (before, after)))
    seen = [_match(iou, found.scores) >= 0 for iou, found in zip(ious, (before, after))]

    iou = ious[1]
    lost_its_own = (own_before >= 0) & (own_after < 0)
    left_over = ~np.isin(np.arange(len(after.labels)), own_after)
    nearest = iou == iou.max(0, initial=0.0)
    new_names = _match(
        iou * (lost_its_own[:, None] & ~same[1] & left_over & nearest), after.scores
    )

    fates = []
    for i, label in enumerate(objects.labels.tolist()):
        gone = roles[label] != 'retained'
        detection, new_label = None, None
        if own_after[i] >= 0:
            fate, detection = 'survived' if gone else 'kept', int(own_after[i])
        elif own_before[i] < 0:
            fate = 'missed'
        elif new_names[i] >= 0:
            fate, detection = 'renamed', int(new_names[i])
            new_label = int(after.labels[detection])
        else:
            fate = 'erased' if gone else 'lost'
        first = int(own_before[i]) if own_before[i] >= 0 else None
        fates.append(
            BoxFate(fate, label, i, first, detection, new_label,
                    (bool(seen[0][i]), bool(seen[1][i])))
        )  # fmt: skip

    ghosts = np.flatnonzero(_ghosts(objects, before, after, score_thr))
    return fates + [BoxFate('ghost', int(after.labels[i]), after=i)
                    for i in ghosts.tolist() if i not in new_names]
