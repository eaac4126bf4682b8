"""Outlines of boxes that show on any background."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

# Okabe-Ito: told apart with any colour vision; dashes and words repeat what the
# colour says.
BLUE, VERMILLION, YELLOW, GREY = '#0072B2', '#D55E00', '#F0E442', '#555555'
INK, PAPER = '#1A1A1A', '#FFFFFF'


class Style(NamedTuple):
    """How a box and its label look.

    Attributes:
        line: Colour of the outline.
        casing: Colour around the line, so that it shows on any background.
        width: Pixels of the line in a picture whose shorter side has 440.
        fill: Colour behind the words of the label.
        dashed: Whether the outline is dashed: nothing is found there.
    """

    line: str
    casing: str = PAPER
    width: int = 3
    fill: str = PAPER
    dashed: bool = False

    @property
    def border(self) -> str:
        """Colour around the label: a light line would not show beside its fill."""
        return self.casing if self.fill == self.line else self.line


def draw_outline(picture: Image.Image, box: Sequence[int], style: Style) -> None:
    """Draw an outline with its casing, both within the box (x1, y1, x2, y2)."""
    short = min(picture.size)
    edge, width = max(1, short // 400), max(2, round(style.width * short / 440))
    x1, y1, x2, y2 = box
    rows, columns = np.ogrid[: y2 - y1 + 1, : x2 - x1 + 1]
    row_depth = np.minimum(rows, y2 - y1 - rows)
    depth = np.minimum(row_depth, np.minimum(columns, x2 - x1 - columns))
    along = np.where(row_depth < width + 2 * edge, columns, rows)
    dashes = (along // (3 * width) % 2 == 0) | (not style.dashed)
    for colour, band in ((style.casing, depth < width + 2 * edge),
                         (style.line, (edge <= depth) & (depth < edge + width))):
        picture.paste(colour, (x1, y1), Image.fromarray(band & dashes))
