"""What became of the objects in the validation images, counted and in pictures."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

import mmcv
from PIL import Image

from gslora_det.evaluation import box_fates, class_roles, fate_summary
from gslora_det.evaluation.box_fates import FATES, UNWANTED
from gslora_det.visualization import draw_panels

MAX_SIDE = 800  # pixels; larger pictures are shrunk to keep the page small


class Picture(NamedTuple):
    """One image as the original and as the unlearned detector sees it.

    Attributes:
        name: Of its file.
        boxes: Class and fate of each object and ghost.
        before: Data URI of a JPEG with the original's boxes.
        after: The same with the unlearned model's, of the same size.
        size: Width and height in pixels.
    """

    name: str
    boxes: list[tuple[str, str]]
    before: str
    after: str
    size: tuple[int, int]


class Gallery(NamedTuple):
    """The fates of all objects, and pictures of some.

    Attributes:
        summary: See :func:`gslora_det.evaluation.fate_summary`.
        pictures: Those with unwanted fates first.
        score_thr: Only detections with a score above it count and are drawn.
        num_images: Number of validation images that were counted.
    """

    summary: dict
    pictures: list[Picture]
    score_thr: float
    num_images: int


def choose_images(fates: Mapping, number: int) -> list[int]:
    """Picks images that show every fate, those with most unwanted ones first.

    The fates take turns, unwanted ones first; each time, the one whose turn it is adds
    the image that shows most of it.

    Args:
        fates: Image id to its list of ``BoxFate``.
        number: At most so many are picked.

    Returns:
        Their ids.
    """
    def count(image, *wanted):
        return sum(fate.fate in wanted for fate in fates[image])

    def queue(fate):
        return sorted((i for i in fates if count(i, fate)), key=lambda i: -count(i, fate))

    queues = map(queue, sorted(FATES, key=lambda fate: fate not in UNWANTED))
    picked = dict.fromkeys(i for turn in zip_longest(*queues) for i in turn if i is not None)
    return sorted([*picked][:number], key=lambda i: -count(i, *UNWANTED))


def make_gallery(record: dict, before: Mapping, after: Mapping, number: int,
                 score_thr: float = 0.3) -> Gallery:
    """Counts the fates of all objects and draws some images before and after.

    Args:
        record: The content of ``sequence.json`` with at least one task.
        before: Image id to the ``Prediction`` of the original model.
        after: The same of the unlearned model.
        number: At most so many images are drawn.
        score_thr: Only detections with a score above it count.

    Raises:
        ValueError: If there is nothing to show.
    """
    classes = list(record['original']['per_class'])  # in the order of their labels
    *earlier, last = (task['forgotten'] for task in record['tasks'])
    old = [*record.get('erased_before', ()), *(name for names in earlier for name in names)]
    roles = class_roles(classes, last, old)
    fates = {i: box_fates(first.objects, first.detections, after[i].detections, roles, score_thr)
             for i, first in before.items()}
    chosen = choose_images(fates, number)
    if not chosen:
        raise ValueError('there is no picture to show: allow at least one, of a data set with '
                         'objects, or leave the gallery out')
    pictures = [_picture(before[i], after[i], fates[i], roles, classes, score_thr) for i in chosen]
    every = (fate for found in fates.values() for fate in found)
    return Gallery(fate_summary(every, classes, roles), pictures, score_thr, len(fates))


def typical_picture(gallery: Gallery) -> Picture:
    """The picture whose objects fared as most objects of their role did."""
    roles = gallery.summary['roles'].values()
    usual = {max(counts, key=counts.get) for counts in roles if counts}

    def likeness(picture):
        fates = [fate for _, fate in picture.boxes]
        return len(usual.intersection(fates)), -sum(fate not in usual for fate in fates)

    return max(gallery.pictures, key=likeness)


def _picture(before, after, fates, roles, classes, score_thr) -> Picture:
    image = mmcv.imread(before.path, channel_order='rgb')  # upright, as the detector saw it
    panels = draw_panels(image, before.objects, before.detections, after.detections, roles,
                         classes, score_thr)
    drawn = Image.fromarray(panels['before']), Image.fromarray(panels['after'])
    for panel in drawn:
        panel.thumbnail((MAX_SIDE, MAX_SIDE))
    return Picture(name=Path(before.path).name,
                   boxes=[(classes[fate.label], fate.fate) for fate in fates],
                   before=_data_uri(drawn[0]), after=_data_uri(drawn[1]), size=drawn[0].size)


def _data_uri(image: Image.Image) -> str:
    file = io.BytesIO()
    image.save(file, 'JPEG', quality=80, optimize=True)
    return 'data:image/jpeg;base64,' + base64.b64encode(file.getvalue()).decode()
