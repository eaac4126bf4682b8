"""What can be wrong in a COCO annotation file, found before anything is built from it."""

import math
from collections.abc import Sequence
from numbers import Real
from typing import Any

from gslora_det.options import is_whole

# Farther out than any image reaches; larger numbers overflow in single precision.
_FARTHEST = 1e6
# pycocotools keeps ids in NumPy arrays: beyond these they would become floats, which are rounded.
_SMALLEST_ID, _LARGEST_ID = -2**63, 2**63 - 1


class _Findings(dict[str, list[Any]]):
    """Kinds of problem with the ids that show them."""

    def add(self, kind: str, entry: Any) -> None:
        self.setdefault(kind, []).append(entry)

    def lines(self) -> list[str]:
        return [f'{kind}: {len(ids)} (the first is {ids[0]!r})' for kind, ids in self.items()]


def check_annotations(coco: Any, path: Any, classes: Sequence[str]) -> list[str]:
    """Checks the content of a COCO file.

    Args:
        coco (dict): The content.
        path (str | Path): Its name, for messages.
        classes (list[str]): The classes that are used.

    Returns:
        list[str]: Warnings with counts: what MMDetection leaves out or tolerates.

    Raises:
        ValueError: It cannot be used as it is; one line says everything that is wrong.
    """
    if not isinstance(coco, dict):
        raise ValueError(f'{path} is no COCO file: it holds no dict of images, annotations '
                         'and categories')
    for key in ('images', 'annotations', 'categories'):
        entries = coco.get(key)
        if not isinstance(entries, list) or not all(isinstance(e, dict) for e in entries):
            raise ValueError(f"{path} is no COCO file: '{key}' is not a list of dicts")
    wrong, odd, classes = _Findings(), _Findings(), list(classes)
    images = _by_id(coco['images'], 'image', wrong, dict(
        file_name=lambda v: isinstance(v, str) and v, width=_size, height=_size))
    categories = _by_id(coco['categories'], 'category', wrong, dict(
        name=lambda v: isinstance(v, str)))
    names = [category.get('name') for category in categories.values()]
    for name in dict.fromkeys(classes):
        if classes.count(name) > 1:
            wrong.add('classes of the data set that are named twice', name)
        if name.splitlines() not in ([], [name]):
            wrong.add('classes whose name has a line break', name)
        if name not in names:
            wrong.add('classes that are not among the categories, so that '
                      'metainfo=dict(classes=…) of the data set must change', name)
        elif names.count(name) > 1:
            wrong.add('category names used twice', name)
    present = [name for name in dict.fromkeys(classes) if name in names]
    for name, by_file in zip(present, (n for n in names if n in classes)):
        if name != by_file:
            wrong.add('classes in another order than the categories, which is the one that '
                      'MMDetection numbers them in, so that metainfo=dict(classes=…) of the '
                      'data set must follow it', name)
    annotations = _by_id(coco['annotations'], 'annotation', wrong, dict(
        bbox=_box, area=_finite, iscrowd=lambda v: v in (0, 1)))
    for key, annotation in annotations.items():
        for kind, known in (('image', images), ('category', categories)):
            other = annotation.get(f'{kind}_id')
            if not is_whole(other) or other not in known:
                wrong.add(f'annotations of an unknown {kind}', key)
    if wrong:
        raise ValueError(f'{path}: ' + '; '.join(wrong.lines()))
    for key, annotation in annotations.items():
        _look_at_box(key, annotation, images[annotation['image_id']], odd)
    return [f'{path}: {line}' for line in odd.lines()]


def _by_id(entries: list[dict], what: str, wrong: _Findings, needed: dict) -> dict[int, dict]:
    """Entries by id; what they lack is noted."""
    found: dict[int, dict] = {}
    for position, entry in enumerate(entries):
        key = entry.get('id')
        if not is_whole(key):
            wrong.add(f'{what} ids that are no whole number', key)
            key = f'number {position + 1}'
        elif not _SMALLEST_ID <= key <= _LARGEST_ID:
            wrong.add(f'{what} ids that are not from {_SMALLEST_ID:,} to {_LARGEST_ID:,}', key)
        elif key in found:
            wrong.add(f'{what} ids used twice', key)
        for name, holds in needed.items():
            if name not in entry or not holds(entry[name]):
                wrong.add(f'{what} entries without a valid {name}', key)
        found[key] = entry
    return found


def _finite(value: Any) -> bool:
    return isinstance(value, Real) and math.isfinite(value)


def _size(value: Any) -> bool:
    return _finite(value) and 1 <= value <= _FARTHEST


def _box(value: Any) -> bool:
    return (isinstance(value, list) and len(value) == 4
            and all(_finite(v) and abs(v) <= _FARTHEST for v in value))


def _look_at_box(key: int, annotation: dict, image: dict, odd: _Findings) -> None:
    x, y, width, height = annotation['bbox']
    if width < 1 or height < 1 or annotation['area'] <= 0:
        odd.add('boxes smaller than a pixel, not trained on', key)
    elif x >= image['width'] or y >= image['height'] or x + width <= 0 or y + height <= 0:
        odd.add('boxes outside their image, not trained on', key)
    elif x < -1 or y < -1 or x + width > image['width'] + 1 or (y + height > image['height'] + 1):
        odd.add('boxes that reach beyond their image', key)
