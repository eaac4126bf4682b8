"""Before | after pictures of one image: which boxes were erased, which were kept."""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from gslora_det.visualization.detection_fates import (
    IOU_THR,
    Detections,
    counterparts,
    erased_boxes,
)

# Okabe-Ito: told apart with any colour vision; dashes and words repeat what the
# colour says.
BLUE, VERMILLION, YELLOW = '#0072B2', '#D55E00', '#F0E442'
INK, PAPER = '#1A1A1A', '#FFFFFF'
MIN_SIDE = 384  # pixels; smaller pictures are enlarged so that labels fit
FONT = Path(matplotlib.get_data_path()) / 'fonts' / 'ttf' / 'DejaVuSans.ttf'


class _Style(NamedTuple):
    line: str
    casing: str  # around the line, so that it shows on any background
    width: int  # pixels in a picture whose shorter side has 440
    label: str  # fill of the label
    border: str  # outline of the label
    dashed: bool = False


RETAINED = _Style(BLUE, PAPER, 2, PAPER, BLUE)
TARGET = _Style(VERMILLION, PAPER, 3, PAPER, VERMILLION)
ERASED = _Style(VERMILLION, PAPER, 3, PAPER, VERMILLION, dashed=True)
FOUND = _Style(YELLOW, INK, 5, YELLOW, INK)


class _Mark(NamedTuple):
    box: np.ndarray
    style: _Style
    struck: str = ''
    text: str = ''


def _font(text: str, size: int, width: int) -> ImageFont.FreeTypeFont:
    """The font at this size, or as much smaller as the text needs to fit the width."""
    font = ImageFont.truetype(FONT, size)
    if font.getlength(text) > width:
        font = font.font_variant(size=max(1, int(size * width / font.getlength(text))))
    return font


def _draw_box(picture: Image.Image, box, style: _Style, short: int) -> None:
    """Draw an outline with its casing, both within the box."""
    edge, width = max(1, short // 400), max(2, round(style.width * short / 440))
    x1, y1, x2, y2 = box
    rows, columns = np.ogrid[: y2 - y1 + 1, : x2 - x1 + 1]
    row_depth = np.minimum(rows, y2 - y1 - rows)
    depth = np.minimum(row_depth, np.minimum(columns, x2 - x1 - columns))
    along = np.where(row_depth < width + 2 * edge, columns, rows)
    dashes = (along // (3 * width) % 2 == 0) | (not style.dashed)
    for colour, band in (
        (style.casing, depth < width + 2 * edge),
        (style.line, (edge <= depth) & (depth < edge + width)),
    ):
        picture.paste(colour, (x1, y1), Image.fromarray(band & dashes))


def _overlap(a, b) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    return max(width, 0) * max(height, 0)


def _place(size, box, bounds, taken):
    """The label's place beside its box that hides least of the labels drawn so far.

    Returns the rectangle, always inside the picture, and the area it hides.
    """
    (w, h), (x1, y1, x2, y2) = size, box
    best = None
    for x, y in (
        (x1, y1 - h), (x1, y2), (x2 - w, y1 - h), (x2 - w, y2),
        (x1, y1), (x1, y2 - h), (x2 - w, y1), (x2 - w, y2 - h),
        (x2, y1), (x1 - w, y1), (x2, y2 - h), (x1 - w, y2 - h),
    ):  # fmt: skip
        x, y = min(max(x, 0), bounds[0] - w), min(max(y, 0), bounds[1] - h)
        place = (x, y, x + w, y + h)
        hidden = sum(_overlap(place, other) for other in taken)
        if best is None or hidden < best[1]:
            best = place, hidden
    return best


def _draw_label(picture: Image.Image, mark: _Mark, size: int, taken: list) -> None:
    """Write the mark's words beside its box, the struck ones first."""
    pad = size // 4
    words = ' '.join(filter(None, (mark.struck, mark.text)))
    font = _font(words, size, picture.width - 2 * pad - 1)
    width = math.ceil(font.getlength(words)) + 2 * pad
    place, hidden = _place(
        (width, sum(font.getmetrics()) + pad), mark.box, picture.size, taken
    )
    if hidden and mark.style is RETAINED:
        return
    taken.append(place)
    draw = ImageDraw.Draw(picture)
    x1, y1, x2, y2 = place
    draw.rectangle((x1, y1, x2 - 1, y2 - 1), mark.style.label, mark.style.border)
    x, y = x1 + pad, y1 + pad // 2
    draw.text((x, y), words, INK, font)
    if mark.struck:
        end, middle = x + font.getlength(mark.struck), y + 0.66 * font.getmetrics()[0]
        draw.line((x, middle, end, middle), VERMILLION, max(2, size // 10))


def _panel(picture: Image.Image, marks, caption: str, scale: int) -> Image.Image:
    """One picture with its marks under a caption row."""
    picture = picture.copy()
    short = min(picture.size)
    size = max(15, round(short / 30))  # of the font, in pixels
    limit = np.array(picture.size * 2) - 1
    marks = [
        m._replace(box=np.round(m.box * scale).clip(0, limit).astype(int).tolist())
        for m in marks
    ]
    # What the picture is about is drawn last (on top) and labelled first.
    order = (RETAINED, TARGET, ERASED, FOUND)
    marks.sort(key=lambda m: order.index(m.style))
    for mark in marks:
        _draw_box(picture, mark.box, mark.style, short)
    taken: list = []
    for mark in reversed(marks):
        if mark.struck or mark.text:
            _draw_label(picture, mark, size, taken)
    row = round(1.8 * size)
    panel = Image.new('RGB', (picture.width, picture.height + row), PAPER)
    panel.paste(picture, (0, row))
    pad = size // 4
    font = _font(caption, round(1.1 * size), picture.width - 2 * pad)
    ImageDraw.Draw(panel).text((pad, row // 2), caption, INK, font, anchor='lm')
    return panel


def _after_marks(before, after, fates, erased_labels, classes, score_thr):
    """Marks of the right picture and the number of new finds of an erased class."""
    *_, was_there = counterparts(before, after, score_thr, IOU_THR)
    renamed = {f.match for f in fates if f.fate == 'renamed'}
    marks, new = [], 0
    for i in np.flatnonzero(after.scores > score_thr).tolist():
        name, text = classes[after.labels[i]], ''
        found = after.labels[i] in erased_labels
        if found:
            new += not was_there[i]
            text = f'{name}: ' + ('still found' if was_there[i] else 'newly found')
        elif i not in renamed:  # the label of the renamed box names it already
            text = f'{name} {after.scores[i]:.2f}'
        marks.append(_Mark(after.bboxes[i], FOUND if found else RETAINED, text=text))
    for fate in fates:
        if fate.fate != 'survived':
            struck = classes[before.labels[fate.index]]
            now = '' if fate.match is None else f'→ {classes[after.labels[fate.match]]}'
            marks.append(_Mark(before.bboxes[fate.index], ERASED, struck, now))
    return marks, new


def _after_caption(fates, new: int) -> str:
    count = [fate.fate for fate in fates].count
    renamed, survived = count('renamed'), count('survived')
    caption = 'after: nothing to erase'
    if fates:
        caption = f'after: erased {len(fates) - survived} of {len(fates)}'
    caption += f' ({renamed} renamed)' if renamed else ''
    caption += f', {survived} still found' if survived else ''
    return caption + (f', {new} newly found' if new else '')


def draw_erased_boxes(
    image: np.ndarray, before, after, split, classes, score_thr: float = 0.3
) -> np.ndarray:
    """Draw the detections of the original and of the unlearned model side by side.

    Left: the original's; those to be erased are vermillion, the others blue. Right:
    the unlearned model's. An erased box is a dashed outline with its class struck
    out, and its new name if it has one; a box of an erased class that is still, or
    newly, found is thick black and yellow. In a crowded picture labels of retained
    boxes that would hide other labels are left out.

    Args:
        image: RGB, uint8, (H, W, 3). A picture whose shorter side is below 384
            pixels is enlarged by a whole factor.
        before: The original model's detections, see :func:`erased_boxes`.
        after: The unlearned model's detections of the same image.
        split: A ``ClassSplit``; its ``forgotten`` and ``old`` names are erased.
        classes: Class names by label.
        score_thr: Only detections with a score above it are drawn.

    Returns:
        RGB, uint8: 'before | after', each under a caption row.

    Raises:
        ValueError: If the image is not as described or a class name is unknown.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ValueError(
            f'image must be uint8 of shape (H, W, 3), got {image.dtype} {image.shape}'
        )
    erased = {*split.forgotten, *split.old}
    if not erased <= set(classes):
        unknown = sorted(erased - set(classes))
        raise ValueError(f'split names classes that `classes` has not: {unknown}')
    erased_labels = {label for label, name in enumerate(classes) if name in erased}

    before, after = Detections.of(before), Detections.of(after)
    fates = erased_boxes(before, after, erased_labels, score_thr)
    before_marks = [
        _Mark(box, TARGET if label in erased_labels else RETAINED,
              text=f'{classes[label]} {score:.2f}')
        for box, score, label in zip(*before) if score > score_thr
    ]
    after_marks, new = _after_marks(
        before, after, fates, erased_labels, classes, score_thr
    )
    height, width = image.shape[:2]
    scale = max(1, math.ceil(MIN_SIDE / min(height, width)))
    picture = Image.fromarray(image).resize(
        (width * scale, height * scale), Image.Resampling.BICUBIC
    )
    left = _panel(picture, before_marks, 'before', scale)
    right = _panel(picture, after_marks, _after_caption(fates, new), scale)
    gutter = max(8, picture.width // 80)
    canvas = Image.new('RGB', (2 * left.width + gutter, left.height), PAPER)
    canvas.paste(left, (0, 0))
    canvas.paste(right, (left.width + gutter, 0))
    return np.asarray(canvas)
