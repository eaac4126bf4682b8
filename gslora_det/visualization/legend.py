"""What the marks of a picture mean, in the picture."""

from collections.abc import Collection

from PIL import Image, ImageDraw

from gslora_det.visualization.fate_marks import MEANINGS
from gslora_det.visualization.labels import font
from gslora_det.visualization.outlines import INK, PAPER, Style, draw_outline

_REST = 'number: score; small square: class colour'


def draw_legend(styles: Collection[Style], width: int, size: int) -> Image.Image:
    """Draws the styles that a picture has and what they mean, in rows.

    Args:
        styles: The styles; each is drawn once.
        width: Of the legend in pixels.
        size: Of the font in pixels; less where the longest entry is wider than the legend.

    Returns:
        RGB, as high as its rows need.
    """
    entries = [(style, words) for style, words in MEANINGS.items() if style in styles]
    entries.append((None, _REST))
    longest = max(font(size).getlength(words) for _, words in entries) + 3 * size
    face_size = int(size * min(1, width / longest))
    face, swatch, row = font(face_size), (2 * face_size, round(1.3 * face_size)), 2 * face_size
    places, x, y = [], 0, 0
    for style, words in entries:
        extent = int(face.getlength(words)) + (style is not None) * (swatch[0] + face_size // 2)
        if x and x + extent > width:
            x, y = 0, y + row
        places.append((x, y))
        x += extent + 2 * face_size
    legend = Image.new('RGB', (width, y + row), PAPER)
    draw = ImageDraw.Draw(legend)
    for (style, words), (x, y) in zip(entries, places):
        if style is not None:
            patch = Image.new('RGB', swatch, PAPER)
            draw_outline(patch, (0, 0, swatch[0] - 1, swatch[1] - 1), style)
            legend.paste(patch, (x, y + (row - swatch[1]) // 2))
            x += swatch[0] + face_size // 2
        draw.text((x, y + row // 2), words, INK, face, anchor='lm')
    return legend
