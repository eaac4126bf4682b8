"""Which images a branch may use, and which of them go into its buffer."""

import random
from collections.abc import Sequence

from gslora_det.options import COUNT, SHARE, one_of, require

# The rules of the settings that say how many images a buffer has.
BUFFER = dict(fraction=SHARE, shots=COUNT, per=one_of('class', 'total'))


def images_by_class(annotations: Sequence[dict]) -> dict[int, set[int]]:
    """Category id -> ids of the images that show it (crowds count).

    Args:
        annotations (list[dict]): The ``annotations`` of a COCO file.
    """
    images: dict[int, set[int]] = {}
    for annotation in annotations:
        images.setdefault(annotation['category_id'], set()).add(annotation['image_id'])
    return images


def candidate_images(images: dict[int, set[int]], category_ids: Sequence[int]) -> list[int]:
    """Sorted ids of the images that show at least one of the categories."""
    return sorted(set().union(*(images.get(i, ()) for i in category_ids)))


def draw_buffer(images: dict[int, set[int]], category_ids: Sequence[int], seed: int,
                fraction: float | None = None, shots: int | None = None,
                per: str = 'class') -> list[int]:
    """Draws a buffer of training images; global random state is not touched.

    Args:
        images (dict): Category id -> image ids, see :func:`images_by_class`.
        category_ids (list[int]): The branch's categories.
        seed (int): Seed of a local generator, over sorted ids.
        fraction (float, optional): Share of all candidate images, in (0, 1].
        shots (int, optional): Images a category instead of a share.
        per (str): ``'class'``: ``shots`` images of every category; ``'total'``:
            ``shots * len(category_ids)`` images in all, whatever they show (the authors'
            reading).

    Returns:
        list[int]: Sorted image ids, at least one.

    Raises:
        ValueError: Not exactly one of ``fraction`` and ``shots`` is given, or one is out
            of range, or no image shows any of the categories.
    """
    if (fraction is None) == (shots is None):
        raise ValueError('buffer: set either fraction=… (a share of the images) or shots=… '
                         '(images a class)')
    given = dict(fraction=fraction, shots=shots, per=per)
    require('buffer', **{name: (value, BUFFER[name]) for name, value in given.items()
                         if value is not None})
    generator = random.Random(seed)
    candidates = candidate_images(images, category_ids)
    if not candidates:
        raise ValueError('no training image shows any of the classes')
    if fraction is not None:
        return sorted(generator.sample(candidates, max(1, int(fraction * len(candidates)))))
    if per == 'total':
        count = min(shots * len(category_ids), len(candidates))
        return sorted(generator.sample(candidates, count))
    drawn: set[int] = set()
    for category in sorted(category_ids):
        shown = sorted(images.get(category, ()))
        drawn.update(generator.sample(shown, min(shots, len(shown))))
    return sorted(drawn)
