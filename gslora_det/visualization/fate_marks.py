"""What the pictures say about each box: its outline and its words."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from gslora_det.evaluation import BoxFate, Detections, Objects
from gslora_det.visualization.labels import Words
from gslora_det.visualization.outlines import BLUE, GREY, INK, VERMILLION, YELLOW, Style

RETAINED = Style(BLUE, width=2)
TARGET = Style(VERMILLION)
ERASED = Style(VERMILLION, dashed=True)
MISSED = Style(GREY, width=2, dashed=True)
UNWANTED = Style(YELLOW, INK, width=5, fill=YELLOW)  # found, but should not be
LOST = UNWANTED._replace(dashed=True)  # should be found, but is not
# What the picture is about is drawn last (on top) and labelled first.
ORDER = (MISSED, RETAINED, TARGET, ERASED, LOST, UNWANTED)
MEANINGS = {  # in the order of a legend
    RETAINED: 'to keep', TARGET: 'to erase', ERASED: 'erased: not found any more',
    LOST: 'lost: to keep, but not found any more', UNWANTED: 'found, but should not be',
    MISSED: 'not found by the original either'}


class Mark(NamedTuple):
    """A box (x1, y1, x2, y2) in pixels of the image, its style and the words beside it."""

    box: np.ndarray
    style: Style
    words: Sequence[Words]


def _found(found: Detections, index: int, classes: Sequence[str]) -> Words:
    label = int(found.labels[index])
    return Words(f'{classes[label]} {found.scores[index]:.2f}', label)


def marks_before(before: Detections, classes, roles, score_thr: float) -> list[Mark]:
    """Marks of the original's detections: those to be erased stand out."""
    return [
        Mark(before.bboxes[i],
             RETAINED if roles[before.labels[i]] == 'retained' else TARGET,
             [_found(before, i, classes)])
        for i in np.flatnonzero(before.scores > score_thr).tolist()
    ]


def marks_after(fates: Sequence[BoxFate], before: Detections, after: Detections, classes, roles,
                score_thr: float) -> list[Mark]:
    """Marks of the unlearned model's detections, and of what it finds no longer."""
    fate_of = {fate.after: fate for fate in fates if fate.after is not None}
    marks = []
    for i in np.flatnonzero(after.scores > score_thr).tolist():
        name, fate = _found(after, i, classes), fate_of.get(i)
        words = [name]
        if fate is None or fate.fate == 'kept':
            style = RETAINED if roles[name.label] == 'retained' else UNWANTED
        else:
            style = UNWANTED
            if fate.fate == 'renamed':
                words = [Words(classes[fate.label], fate.label, struck=True), Words('→'), name]
            else:
                words = [name, Words('still found' if fate.fate == 'survived' else 'ghost')]
        marks.append(Mark(after.bboxes[i], style, words))
    for fate in fates:
        if fate.fate in ('erased', 'lost'):
            name = Words(classes[fate.label], fate.label, struck=fate.fate == 'erased')
            style, words = ((ERASED, [name]) if fate.fate == 'erased'
                            else (LOST, [name, Words('lost')]))
            marks.append(Mark(before.bboxes[fate.before], style, words))
    return marks


def marks_truth(objects: Objects, fates: Sequence[BoxFate], classes, roles) -> list[Mark]:
    """Marks of all objects; those that no model found under their name are grey."""
    marks = []
    for fate in fates:
        if fate.index is not None:
            style = RETAINED if roles[fate.label] == 'retained' else TARGET
            words = [Words(classes[fate.label], fate.label)]
            if fate.fate == 'missed':
                style, words = MISSED, [*words, Words('missed before')]
            marks.append(Mark(objects.bboxes[fate.index], style, words))
    return marks
