"""Pictures of one image: before | now | ground truth."""

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from gslora_det.evaluation import BoxFate, Detections, Objects, box_fates
from gslora_det.evaluation.box_fates import FATES
from gslora_det.visualization.fate_marks import (
    ORDER,
    RETAINED,
    Mark,
    marks_after,
    marks_before,
    marks_truth,
)
from gslora_det.visualization.labels import Label, draw_labels, font, label_size
from gslora_det.visualization.legend import draw_legend
from gslora_det.visualization.outlines import INK, PAPER, draw_outline

MIN_SIDE = 384  # pixels; smaller pictures are enlarged so that labels fit
MIN_FONT = 15  # pixels
MAX_COVER = 0.3  # largest share of a picture that labels may cover


def _scale_and_font(size, panels: Sequence[Sequence[Mark]]) -> tuple[int, int]:
    """The whole factor and the font size at which the labels of every panel fit."""

    def cover(font_size: int) -> int:
        extents = [[label_size(m.words, font_size) for m in marks] for marks in panels]
        return max(sum(w * h for w, h in panel) for panel in extents)

    scale = max(1, math.ceil(MIN_SIDE / min(size)))
    font_size = max(MIN_FONT, round(min(size) * scale / 30))
    room = MAX_COVER * size[0] * size[1] * scale**2
    if cover(font_size) > room:
        font_size = MIN_FONT
        scale = math.ceil(scale * math.sqrt(max(1, cover(MIN_FONT) / room)))
    return scale, font_size


def _panel(image: Image.Image, marks: Sequence[Mark], scale: int, size: int) -> Image.Image:
    """The enlarged image with outlines and labels."""
    picture = image.resize((image.width * scale, image.height * scale), Image.Resampling.BICUBIC)
    limit = np.array(picture.size * 2) - 1
    marks = [m._replace(box=np.round(m.box * scale).clip(0, limit).astype(int).tolist())
             for m in sorted(marks, key=lambda m: ORDER.index(m.style))]
    for mark in marks:
        draw_outline(picture, mark.box, mark.style)
    draw_labels(picture, [Label(m.box, m.words, m.style, needed=m.style is not RETAINED)
                          for m in reversed(marks)], size)
    return picture


def draw_panels(
    image: np.ndarray, objects: Objects, before: Detections, after: Detections,
    roles: Sequence[str], classes: Sequence[str], score_thr: float = 0.3
) -> dict[str, np.ndarray]:
    """Draw what both models find in an image, and what is there.

    Solid outlines are found, dashed ones are not. Blue is retained, vermillion is to be erased or,
    dashed and with its name struck out, erased. Thick yellow and black is unwanted: a class still
    found, a new name, a ghost, or, dashed, a retained object that was lost. Grey in the ground
    truth: the original missed it too. The square before a name is the colour of its class in all
    pictures. In a crowd, labels of retained boxes that would hide other labels are left out.

    Pillow draws, and not MMDet's ``DetLocalVisualizer``: that one cannot strike words
    out, move labels apart or put a casing around a line. Its backends get the finished
    pictures, see ``ErasedBoxesHook``.

    Args:
        image: RGB, uint8, (H, W, 3).
        objects: The ground truth.
        before: The original model's detections.
        after: The unlearned model's detections.
        roles: Role of each class by label, see :func:`class_roles`.
        classes: Class names by label.
        score_thr: Only detections with a score above it are drawn.

    Returns:
        ``before``, ``after`` and ``truth``, RGB, uint8, all of one size: the image's, or
        a whole multiple where it is too small for its labels.

    Raises:
        ValueError: If the image is not as described.
    """
    fates = box_fates(objects, before, after, roles, score_thr)
    return _drawn(image, _marks(objects, before, after, fates, roles, classes, score_thr))


def _marks(objects, before, after, fates, roles, classes, score_thr) -> dict[str, list[Mark]]:
    return dict(before=marks_before(before, classes, roles, score_thr),
                after=marks_after(fates, before, after, classes, roles, score_thr),
                truth=marks_truth(objects, fates, classes, roles))


def _drawn(image: np.ndarray, marks: dict[str, list[Mark]]) -> dict[str, np.ndarray]:
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ValueError(
            f'image must be uint8 of shape (H, W, 3), got {image.dtype} {image.shape}')
    picture = Image.fromarray(image)
    scale, size = _scale_and_font(picture.size, list(marks.values()))
    return {name: np.asarray(_panel(picture, found, scale, size)) for name, found in marks.items()}


def _caption_now(fates: Sequence[BoxFate]) -> str:
    counts = Counter(fate.fate for fate in fates)
    told = ', '.join(f'{counts[fate]} {fate}' for fate in FATES if counts[fate])
    return f'now: {told or "no objects"}'


def draw_erased_boxes(
    image: np.ndarray, objects: Objects, before: Detections, after: Detections,
    roles: Sequence[str], classes: Sequence[str], score_thr: float = 0.3
) -> np.ndarray:
    """Draw 'before | now | ground truth', each under a caption, side by side over a legend.

    Takes the arguments of :func:`draw_panels`, whose panels it puts together. The legend names
    the marks that the picture has.

    Returns:
        RGB, uint8.
    """
    fates = box_fates(objects, before, after, roles, score_thr)
    marks = _marks(objects, before, after, fates, roles, classes, score_thr)
    panels = _drawn(image, marks)
    captions = ('before', _caption_now(fates), 'ground truth')
    height, width = panels['before'].shape[:2]
    size = max(MIN_FONT, round(min(height, width) / 30))
    longest = max(font(size).getlength(caption) for caption in captions)
    face = font(int(size * min(1, width / longest)))
    row, gutter = round(1.8 * size), max(8, width // 80)
    styles = {mark.style for found in marks.values() for mark in found}
    legend = draw_legend(styles, 3 * width + 2 * gutter, size)
    canvas = Image.new('RGB', (legend.width, row + height + legend.height), PAPER)
    canvas.paste(legend, (0, row + height))
    draw = ImageDraw.Draw(canvas)
    for i, (panel, caption) in enumerate(zip(panels.values(), captions)):
        x = i * (width + gutter)
        canvas.paste(Image.fromarray(panel), (x, row))
        draw.text((x, row // 2), caption, INK, face, anchor='lm')
    return np.asarray(canvas)
