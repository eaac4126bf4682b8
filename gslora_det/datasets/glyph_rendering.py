"""Drawing of Glyph80: single glyphs and whole scenes, from a seed to pixels."""

import unicodedata
from functools import cache
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

# 80 characters that stay distinct under a change of size, aspect, face and a slight
# rotation: no pair such as O/0, C/c or Greek Alpha/Latin A is among them.
CHARACTERS = ('23456789'
              'ABCDEFGHJKLMNPQRSTUVWXYZ'
              'abdefghmnrt'
              'ΓΔΘΛΞΠΣΦΨΩ'
              'αβγδεζλμξπσω'
              'БДЖИЛЦЧШЭЮЯЫ'
              'ÆЂЉ')

_FAMILIES = {
    'DejaVuSans': ('', '-Bold', '-Oblique', '-BoldOblique'),
    'DejaVuSansMono': ('', '-Bold', '-Oblique', '-BoldOblique'),
    'DejaVuSerif': ('', '-Bold', '-Italic', '-BoldItalic'),
}
# One face of each family is shown in validation only.
VAL_FACES = ('DejaVuSans-Oblique', 'DejaVuSansMono-Bold', 'DejaVuSerif-BoldItalic')
TRAIN_FACES = tuple(family + style for family, styles in _FAMILIES.items()
                    for style in styles if family + style not in VAL_FACES)

Box = tuple[int, int, int, int]


def class_name(character: str) -> str:
    """A readable ASCII name: ``'Latin A'``, ``'Greek omega'``, ``'digit 7'``."""
    words = unicodedata.name(character).split()
    if words[0] == 'DIGIT':
        return f'digit {character}'
    letter = words[-1]
    return f'{words[0].title()} ' + (letter.title() if 'CAPITAL' in words else letter.lower())


CLASSES = tuple(map(class_name, CHARACTERS))


@cache
def _glyph_mask(face: str, label: int) -> Image.Image:
    """The glyph at 96 points, cropped to its ink, as an 8-bit mask."""
    path = Path(matplotlib.get_data_path()) / 'fonts/ttf' / f'{face}.ttf'
    font = ImageFont.truetype(str(path), 96)
    mask = Image.new('L', (192, 192))
    ImageDraw.Draw(mask).text((48, 24), CHARACTERS[label], font=font, fill=255)
    return mask.crop(mask.getbbox())


def _random_glyph(rng: np.random.Generator, face: str, label: int, size: float) -> np.ndarray:
    """A glyph of random aspect and rotation whose longer side is ``size`` pixels.

    Returns:
        np.ndarray: Opacity in [0, 1], cropped to the ink, shape (h, w).
    """
    mask = _glyph_mask(face, label)
    width = mask.width * np.exp(rng.uniform(-0.25, 0.25))
    scale = size / max(width, mask.height)
    mask = mask.resize((max(2, round(width * scale)),
                        max(2, round(mask.height * scale))), Image.LANCZOS)
    mask = mask.rotate(rng.uniform(-15, 15), Image.BICUBIC, expand=True)
    opacity = np.asarray(mask, np.float32) / 255
    ink = opacity > 0.3
    rows, columns = np.flatnonzero(ink.any(1)), np.flatnonzero(ink.any(0))
    return opacity[rows[0]:rows[-1] + 1, columns[0]:columns[-1] + 1]


def _background(rng: np.random.Generator, size: int) -> np.ndarray:
    """A smooth random colour field of shape (size, size, 3), float in [0, 255]."""
    coarse = rng.uniform(0, 255, 3) + rng.uniform(-70, 70, (3, 3, 3))
    coarse = coarse.clip(0, 255).astype(np.uint8)
    field = Image.fromarray(coarse).resize((size, size), Image.BICUBIC)
    return np.asarray(field, np.float32)


def _paint(rng: np.random.Generator, canvas: np.ndarray, opacity: np.ndarray,
           x: int, y: int) -> None:
    """Blends one glyph into the canvas, in a colour that stands out there."""
    height, width = opacity.shape
    region = canvas[y:y + height, x:x + width]
    below = region.reshape(-1, 3).mean(0)
    colours = rng.uniform(0, 255, (8, 3))
    distance = np.linalg.norm(colours - below, axis=1)
    colour = colours[np.argmax(distance > 140) if (distance > 140).any() else np.argmax(distance)]
    region += opacity[..., None] * (colour - region)


def _finish(rng: np.random.Generator, canvas: np.ndarray) -> np.ndarray:
    noise = rng.normal(0, rng.uniform(2, 10), canvas.shape)
    return (canvas + noise).clip(0, 255).astype(np.uint8)


def render_crop(rng: np.random.Generator, faces: tuple[str, ...], label: int,
                size: int) -> np.ndarray:
    """One glyph in the middle of a square RGB crop, uint8 of shape (size, size, 3)."""
    canvas = _background(rng, size)
    glyph = _random_glyph(rng, faces[rng.integers(len(faces))], label,
                          rng.uniform(0.4, 0.95) * size)
    glyph = glyph[:size, :size]
    y, x = (rng.uniform(0, 1, 2) * (size + 1 - np.array(glyph.shape))).astype(int)
    _paint(rng, canvas, glyph, x, y)
    return _finish(rng, canvas)


def render_scene(rng: np.random.Generator, faces: tuple[str, ...],
                 size: int = 128) -> tuple[np.ndarray, list[int], list[Box]]:
    """A square RGB image with one to five glyphs that do not overlap.

    Args:
        rng (np.random.Generator): The only source of randomness.
        faces (tuple[str]): DejaVu faces to draw from.
        size (int): Side of the image in pixels.

    Returns:
        tuple: The image, uint8 of shape (size, size, 3); the class indices; the tight
        boxes as (x, y, width, height) in pixels.
    """
    canvas = _background(rng, size)
    labels: list[int] = []
    boxes: list[Box] = []
    for _ in range(rng.integers(1, 6)):
        label = int(rng.integers(len(CHARACTERS)))
        glyph = _random_glyph(rng, faces[rng.integers(len(faces))], label, rng.uniform(24, 56))
        height, width = glyph.shape
        for _ in range(20):  # look for a free place; a crowded scene stays smaller
            x = int(rng.integers(0, size - width + 1))
            y = int(rng.integers(0, size - height + 1))
            if all(x >= bx + bw or bx >= x + width or y >= by + bh or by >= y + height
                   for bx, by, bw, bh in boxes):
                _paint(rng, canvas, glyph, x, y)
                labels.append(label)
                boxes.append((x, y, width, height))
                break
    return _finish(rng, canvas), labels, boxes
