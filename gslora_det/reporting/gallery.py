"""What became of the objects in the validation images, counted and in pictures."""

import base64
import io
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

import mmcv
from PIL import Image

from gslora_det.evaluation import (
    ClassScores,
    ComparedImage,
    box_fates,
    class_roles,
    class_scores,
    erased_up_to,
    fate_summary,
)
from gslora_det.evaluation.box_fates import FATES, UNWANTED
from gslora_det.visualization import draw_panels

MAX_SIDE = 800  # pixels; larger pictures are shrunk to keep the page small
LEAST_SIDE = 160  # pixels; smaller ones would show nothing
PICTURE_BYTES = 9_000_000  # of all pictures of a page, which should stay below 10 MB


class Picture(NamedTuple):
    """One image as the original and as the unlearned detector sees it.

    Attributes:
        name: Of its file.
        boxes: Class and fate of each object and ghost.
        before: Data URI of a JPEG with the original's boxes.
        after: The same with the unlearned model's, of the same size.
        size: Width and height in pixels.
        found: Of each object that the original finds, its class and whether it is to be
            forgotten.
    """

    name: str
    boxes: list[tuple[str, str]]
    before: str
    after: str
    size: tuple[int, int]
    found: Sequence[tuple[str, bool]] = ()


class Gallery(NamedTuple):
    """The fates of all objects, and pictures of some.

    Attributes:
        summary: See :func:`gslora_det.evaluation.fate_summary`.
        pictures: Those with unwanted fates first.
        score_thr: Only detections with a score above it count and are drawn.
        num_images: Number of validation images that were counted.
        roles: Role of each class by label.
        scores: By label, for what is found at other thresholds.
    """

    summary: dict
    pictures: list[Picture]
    score_thr: float
    num_images: int
    roles: Sequence[str] = ()
    scores: Sequence[ClassScores] = ()


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
                 score_thr: float = 0.3, room: int = PICTURE_BYTES) -> Gallery:
    """Counts the fates of all objects and draws some images before and after.

    Args:
        record: The content of ``sequence.json`` with at least one task.
        before: Image id to the ``Prediction`` of the original model.
        after: The same of the unlearned model.
        number: At most so many images are drawn.
        score_thr: Only detections with a score above it count.
        room: Bytes that all pictures together may take; they are shrunk to fit.

    Raises:
        ValueError: If there is nothing to show.
    """
    classes = list(record['original']['per_class'])  # in the order of their labels
    tasks = record['tasks']
    roles = class_roles(classes, tasks[-1]['forgotten'], erased_up_to(record, len(tasks) - 1))
    images = {i: ComparedImage.of(first.objects, first.detections, after[i].detections)
              for i, first in before.items()}
    fates = {i: box_fates(image.objects, *image.detections, roles, score_thr, image.matched)
             for i, image in images.items()}
    chosen = choose_images(fates, number)
    if not chosen:
        raise ValueError('there is no picture to show: allow at least one, of a data set with '
                         'objects, or leave the gallery out')
    room //= 2 * (len(chosen) + 1)  # one of them stands on the first screen, too
    pictures = [_picture(before[i], after[i], fates[i], roles, classes, score_thr, room)
                for i in chosen]
    every = (fate for of_image in fates.values() for fate in of_image)
    scores = class_scores(images.values(), len(classes))
    return Gallery(fate_summary(every, classes, roles), pictures, score_thr, len(fates), roles,
                   scores)


def typical_picture(gallery: Gallery) -> Picture:
    """The picture whose objects fared as most objects of their role did."""
    roles = gallery.summary['roles'].values()
    usual = {max(counts, key=counts.get) for counts in roles if counts}

    def likeness(picture):
        fates = [fate for _, fate in picture.boxes]
        return len(usual.intersection(fates)), -sum(fate not in usual for fate in fates)

    return max(gallery.pictures, key=likeness)


def _picture(before, after, fates, roles, classes, score_thr, room) -> Picture:
    image = mmcv.imread(before.path, channel_order='rgb')  # upright, as the detector saw it
    panels = draw_panels(image, before.objects, before.detections, after.detections, roles,
                         classes, score_thr)
    uris, size = _fitted([Image.fromarray(panels[name]) for name in ('before', 'after')], room)
    return Picture(
        name=Path(before.path).name, boxes=[(classes[fate.label], fate.fate) for fate in fates],
        before=uris[0], after=uris[1], size=size,
        found=[(classes[fate.label], roles[fate.label] != 'retained')
               for fate in fates if fate.before is not None])


def _fitted(panels: list[Image.Image], room: int) -> tuple[list[str], tuple[int, int]]:
    """Data URIs of pictures of one size, each within ``room`` bytes, and that size."""
    side = MAX_SIDE
    while True:
        for panel in panels:
            panel.thumbnail((side, side))
        uris = [*map(_data_uri, panels)]
        if max(map(len, uris)) <= room or side <= LEAST_SIDE:
            return uris, panels[0].size
        side = max(LEAST_SIDE, max(panels[0].size) * 4 // 5)


def _data_uri(image: Image.Image) -> str:
    file = io.BytesIO()
    image.save(file, 'JPEG', quality=80, optimize=True)
    return 'data:image/jpeg;base64,' + base64.b64encode(file.getvalue()).decode()
