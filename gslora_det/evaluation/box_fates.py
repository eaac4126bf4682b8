"""What became of every object of an image when classes were erased."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from gslora_det.class_names import resolve_classes
from gslora_det.evaluation.boxes import Detections, Objects, overlaps
from gslora_det.evaluation.matching import IOU_THR, Matches, above, greedy, match

ROLES = ('forgotten', 'old', 'retained')
FATES = ('erased', 'renamed', 'survived', 'kept', 'lost', 'ghost', 'missed')
UNWANTED = ('renamed', 'survived', 'lost', 'ghost')


class BoxFate(NamedTuple):
    """What became of one object, or one detection without an object.

    Attributes:
        fate: Of a forgotten or old class: ``'erased'`` (nothing finds it any more) or
            ``'survived'`` (its class does). Of a retained class: ``'kept'`` or ``'lost'``.
            Of any: ``'renamed'`` (it is found as another class only) or
            ``'missed'`` (the original did not find it either). A new detection where
            its class has no object is a ``'ghost'``.
        label: The object's class; a ghost's is the class that it is found as.
        index: Index of the object in the ground truth, None for a ghost.
        before: Index of the original's detection of it as its class, or None.
        after: Index of the unlearned model's detection of it, whatever its class, or
            of the ghost, or None.
        new_label: The class that a renamed object is found as now, else None.
        seen: Whether some detection of the original, and of the unlearned model, is
            matched to the object, one to one, whatever its class.
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


def _ghosts(objects: Objects, before: Detections, after: Detections, now: Matches,
            score_thr: float):
    """(M,) whether a detection is new and there is no object of its class, nor a crowd."""

    def meets(labels, overlap):
        return ((overlap >= IOU_THR) & (labels[:, None] == after.labels)).any(0)

    confident = before.scores > score_thr
    explained = (
        meets(objects.labels, now.iou) | now.in_crowd
        | meets(before.labels[confident], overlaps(before.bboxes[confident], after.bboxes)))
    return (after.scores > score_thr) & ~explained


def box_fates(objects: Objects, before: Detections, after: Detections, roles: Sequence[str],
              score_thr: float = 0.3,
              matched: tuple[Matches, Matches] | None = None) -> list[BoxFate]:
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
        matched: What :func:`match` gives of ``before`` and of ``after``, where it is known: it
            is the same for every threshold.

    Returns:
        The fates of all objects, in their order, then those of the ghosts.
    """
    matched = matched or (match(objects, before), match(objects, after))
    now, sides = matched[1], [*zip(matched, (before, after))]
    own_before, own_after = (above(m.own, found.scores, score_thr) for m, found in sides)
    seen = [above(m.anything, found.scores, score_thr) >= 0 for m, found in sides]

    iou = now.iou * (after.scores > score_thr)
    lost_its_own = (own_before >= 0) & (own_after < 0)
    other_class = objects.labels[:, None] != after.labels
    left_over = ~np.isin(np.arange(len(after.labels)), own_after)
    nearest = iou == iou.max(0, initial=0.0)
    new_names = greedy(
        iou * (lost_its_own[:, None] & other_class & left_over & nearest), after.scores)

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
        )

    ghosts = np.flatnonzero(_ghosts(objects, before, after, now, score_thr))
    return fates + [BoxFate('ghost', int(after.labels[i]), after=i)
                    for i in ghosts.tolist() if i not in new_names]
