"""Labels of boxes: their words, and places where they hide no other label."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from gslora_det.visualization.outlines import INK, VERMILLION, Style

FONT = Path(matplotlib.get_data_path()) / 'fonts' / 'ttf' / 'DejaVuSans.ttf'


class Words(NamedTuple):
    """A part of a label.

    Attributes:
        text: What is written.
        label: The class whose colour stands before it, or None.
        struck: Whether the text is struck out.
    """

    text: str
    label: int | None = None
    struck: bool = False


class Label(NamedTuple):
    """The label of a box.

    Attributes:
        box: (x1, y1, x2, y2) in whole pixels of the picture.
        words: Its parts, from left to right.
        style: Its colours.
        needed: Without it, the label is left out where there is no room beside the box.
    """

    box: Sequence[int]
    words: Sequence[Words]
    style: Style
    needed: bool


def font(size: int) -> ImageFont.FreeTypeFont:
    """The font of all words, ``size`` in pixels."""
    return ImageFont.truetype(str(FONT), size)


def class_colour(label: int) -> tuple[int, int, int]:
    """The colour of a class, the same in all pictures.

    Golden-ratio steps through a colour map that is made for any colour vision keep
    neighbouring classes apart; the name beside it tells the rest.
    """
    colour = matplotlib.colormaps['viridis'](label * 0.618034 % 1)
    return tuple(round(255 * channel) for channel in colour[:3])


def label_size(words: Sequence[Words], size: int) -> tuple[int, int]:
    """Width and height in pixels of a label at this font size."""
    pad, face = size // 4, font(size)
    width = sum(face.getlength(p.text) + (p.label is not None) * size for p in words)
    gaps = (len(words) - 1) * (size // 3)
    return math.ceil(width) + gaps + 2 * pad, sum(face.getmetrics()) + pad


def _beside(size, box, bounds) -> np.ndarray:
    """(12, 2) left upper corners where a label lies beside its box, the best ones first."""
    (w, h), (x1, y1, x2, y2) = size, box
    places = np.array([(x1, y1 - h), (x1, y2), (x2 - w, y1 - h), (x2 - w, y2),
                       (x1, y1), (x1, y2 - h), (x2 - w, y1), (x2 - w, y2 - h),
                       (x2, y1), (x1 - w, y1), (x2, y2 - h), (x1 - w, y2 - h)])
    return places.clip(0, np.maximum(np.array(bounds) - size, 0))


def _anywhere(size, box, bounds) -> np.ndarray:
    """(K, 2) left upper corners all over the picture, those nearest to the box first."""
    step = max(1, size[1] // 2)
    corners = [np.arange(0, max(1, bounds[i] - size[i] + 1), step) for i in (0, 1)]
    places = np.stack(np.meshgrid(*corners), -1).reshape(-1, 2)
    away = np.abs(places + np.array(size) / 2 - _middle(box)).sum(1)
    return places[away.argsort(kind='stable')]


def _hidden(places: np.ndarray, size, taken: Sequence) -> np.ndarray:
    """(K,) area of the labels drawn so far that a label would hide at each place."""
    if not taken:
        return np.zeros(len(places))
    low, high = np.hsplit(np.array(taken), 2)
    common = np.minimum(places[:, None] + size, high) - np.maximum(places[:, None], low)
    return common.clip(min=0).prod(-1).sum(1)


def draw_labels(picture: Image.Image, labels: Sequence[Label], size: int) -> None:
    """Write each label beside its box, or, in a crowd, near it with a line to it.

    Args:
        picture: Is drawn on.
        labels: The labels, those first that need their place most.
        size: Of the font in pixels; less for a label wider than the picture.
    """
    taken: list = []
    placed = []
    for label in labels:
        width = label_size(label.words, size)[0]
        own_size = size if width <= picture.width else size * picture.width // width - 1
        extent = label_size(label.words, own_size)
        places = _beside(extent, label.box, picture.size)
        hidden = _hidden(places, extent, taken)
        beside = not hidden.all()
        if not beside:
            if not label.needed:
                continue
            places = _anywhere(extent, label.box, picture.size)
            hidden = _hidden(places, extent, taken)
        x, y = places[hidden.argmin()].tolist()  # the first of equals
        taken.append((x, y, x + extent[0], y + extent[1]))
        placed.append((label, own_size, beside))

    draw = ImageDraw.Draw(picture)
    for (label, own_size, beside), place in zip(placed, taken):
        if not beside:
            ends = [_middle(place), _middle(label.box)]
            draw.line(ends, label.style.casing, 2 + own_size // 6)
            draw.line(ends, label.style.line, own_size // 8)
    for (label, own_size, _), (x1, y1, x2, y2) in zip(placed, taken):
        draw.rectangle((x1, y1, x2 - 1, y2 - 1), label.style.fill, label.style.border)
        _write(draw, (x1, y1), label.words, own_size)


def _middle(box: Sequence[int]) -> tuple[int, int]:
    return (box[0] + box[2]) // 2, (box[1] + box[3]) // 2


def _write(draw: ImageDraw.ImageDraw, at, words: Sequence[Words], size: int) -> None:
    pad, face = size // 4, font(size)
    x, y = at[0] + pad, at[1] + pad // 2
    middle = y + 0.66 * face.getmetrics()[0]
    for part in words:
        if part.label is not None:
            top = y + sum(face.getmetrics()) // 2 - size // 3
            draw.rectangle((x, top, x + 2 * size // 3, top + 2 * size // 3),
                           class_colour(part.label), INK)
            x += size
        end = x + face.getlength(part.text)
        draw.text((x, y), part.text, INK, face)
        if part.struck:
            draw.line((x, middle, end, middle), VERMILLION, max(2, size // 10))
        x = end + size // 3
