"""What is in a picture of boxes, in words: for captions, and for who cannot see it."""

from collections import Counter
from collections.abc import Iterable

from gslora_det.evaluation.box_fates import FATES
from gslora_det.words import plural


def named(names: Iterable[str]) -> str:
    """``'digit 9, Latin a ×2'``, in the order of their first places."""
    return ', '.join(f'{name} ×{count}' if count > 1 else name
                     for name, count in Counter(names).items())


def by_fate(boxes: Iterable[tuple[str, str]]) -> list[tuple[str, int, str]]:
    """Each fate that occurs, how often, and the classes that it befell.

    Args:
        boxes: Class and fate of each box.
    """
    boxes = [*boxes]
    found = {fate: [name for name, each in boxes if each == fate] for fate in FATES}
    return [(fate, len(names), named(names)) for fate, names in found.items() if names]


def alt_before(picture) -> str:
    """What the original finds in a ``Picture``."""
    parts = [f'{plural(len(names), "object")} to {what} ({named(names)})'
             for what, names in ((what, [name for name, gone in picture.found if gone == flag])
                                 for what, flag in (('forget', True), ('keep', False)))
             if names]
    return f'{picture.name} before: the original finds {" and ".join(parts) or "no object"}.'


def alt_now(picture) -> str:
    """What became of the boxes of a ``Picture``."""
    parts = [f'{count} {fate} ({names})' for fate, count, names in by_fate(picture.boxes)]
    return f'{picture.name} now: {", ".join(parts) or "no object"}.'
