"""What is found and what is wrong above any score threshold, from one matching."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from gslora_det.evaluation.box_fates import ROLES
from gslora_det.evaluation.matching import ComparedImage, scores_of

CANDIDATES = np.arange(1, 100) / 100  # the thresholds that may be proposed


class ClassScores(NamedTuple):
    """How sure two detectors are of a class, over all images.

    Attributes:
        found: (N, 2) score with which the original, and the unlearned detector, finds each
            object as this class; minus infinity where it does not.
        wrong: The scores of their other detections of this class, those in a crowd apart.
    """

    found: np.ndarray
    wrong: tuple[np.ndarray, np.ndarray]

    def above(self, moment: int, score_thr) -> tuple[np.ndarray, np.ndarray]:
        """Counts the right and the wrong detections of the original (0) or of now (1).

        Args:
            moment: 0 or 1.
            score_thr: One threshold, or (T,); only detections with a score above it count.
        """
        right, wrong = (
            len(scores) - np.searchsorted(np.sort(scores), score_thr, side='right')
            for scores in (self.found[:, moment], self.wrong[moment]))
        return right, wrong


def class_scores(images: Iterable[ComparedImage], num_classes: int) -> list[ClassScores]:
    """Collects the scores of all images by class.

    Args:
        images: All images.
        num_classes: Number of classes.

    Returns:
        One entry a class, by label.
    """
    labels, found = [np.zeros(0, int)], [np.zeros((0, 2))]
    wrong: list[list] = [[], []]
    for objects, detections, matched in images:
        labels.append(objects.labels)
        found.append(np.stack([scores_of(m.own, d.scores)
                               for m, d in zip(matched, detections)], 1))
        for moment, (m, d) in enumerate(zip(matched, detections)):
            free = ~np.isin(np.arange(len(d.labels)), m.own) & ~m.in_crowd
            wrong[moment].append((d.labels[free], d.scores[free]))
    label, score = np.concatenate(labels), np.concatenate(found)
    others = [tuple(map(np.concatenate, zip((np.zeros(0, int), np.zeros(0)), *side)))
              for side in wrong]
    return [ClassScores(score[label == k], tuple(s[of == k] for of, s in others))
            for k in range(num_classes)]


def found_above(scores: Sequence[ClassScores], roles: Sequence[str], score_thr: float) -> dict:
    """Counts the objects that the original finds above a threshold, and those found still.

    Args:
        scores: By label.
        roles: Role of each class by label, see :func:`class_roles`.
        score_thr: Only detections with a score above it count.

    Returns:
        Role to ``before`` and ``own_name``, as in :func:`found_again`.
    """
    counts = {role: dict(before=0, own_name=0) for role in ROLES}
    for each, role in zip(scores, roles):
        before, now = (each.found > score_thr).T
        counts[role]['before'] += int(before.sum())
        counts[role]['own_name'] += int((before & now).sum())
    return counts


def precision(right: int, wrong: int) -> float | None:
    """The share of the detections that are right; None if there are none."""
    return right / (right + wrong) if right + wrong else None


def same_precision(scores: ClassScores, score_thr: float) -> float | None:
    """A threshold above which the detector is now as precise as the original above another.

    Of the :data:`CANDIDATES` it is the lowest: it finds most.

    Args:
        scores: Of one class.
        score_thr: The threshold of the original.

    Returns:
        The threshold; None if none reaches the precision or the original finds nothing.
    """
    right, wrong = scores.above(0, score_thr)
    now, false = scores.above(1, CANDIDATES)
    # now / (now + false) >= right / (right + wrong), in whole numbers.
    enough = (now > 0) & (now * (right + wrong) >= right * (now + false))
    return float(CANDIDATES[enough.argmax()]) if right and enough.any() else None
