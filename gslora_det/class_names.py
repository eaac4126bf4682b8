"""Names of classes: as a request gives them, and as numbers."""

import difflib
import unicodedata
from collections.abc import Iterable, Sequence

import numpy as np


def labels_of(names: Iterable, classes: Sequence) -> list[int]:
    """The label of each of ``names``: its place among all ``classes``."""
    labels = {name: label for label, name in enumerate(classes)}
    return [labels[name] for name in names]


def resolve_classes(requested: Sequence, classes: Sequence,
                    category_ids: Sequence[int] | None = None, where: str = 'classes') -> tuple:
    """Turn class names or category ids into class names.

    Args:
        requested: Class names, or category ids where ``category_ids`` is given.
        classes: All class names of the data set.
        category_ids: The category id of each of ``classes``.
        where: What an error calls ``requested``.

    Returns:
        The class names, in the order of the request.

    Raises:
        ValueError: If ``requested`` is empty or no list, or if a class is unknown (the nearest
            ones are named), given twice, or the name of one class and the id of another.
    """
    if isinstance(requested, str) or not isinstance(requested, (Sequence, np.ndarray)):
        raise ValueError(f'{where}: {requested!r} is not a list; give a list of names')
    if len(requested) == 0:
        raise ValueError(f'{where}: the list is empty; name at least one class')
    if category_ids is not None and len(category_ids) != len(classes):
        raise ValueError(f'{where}: {len(category_ids)} category ids for {len(classes)} classes; '
                         'give one id a class')
    names_by_id = dict(zip(category_ids, classes)) if category_ids is not None else {}

    resolved = []
    for item in requested:
        readings = _readings(item, classes, names_by_id)
        if len(readings) > 1:
            raise ValueError(f'{where}: {item} is the name of a class and also the category id '
                             f'of {readings[-1]!r}; give a name, in quotes: {readings[0]!r} or '
                             f'{readings[-1]!r}')
        if not readings:
            raise ValueError(f'{where}: {_unknown(item, classes, names_by_id)}')
        name = readings[0]
        if name in resolved:
            raise ValueError(f'{where}: class {name!r} is given twice; remove one')
        resolved.append(name)
    return tuple(resolved)


def _readings(item, classes: Sequence, names_by_id: dict) -> list:
    """The different classes that ``item`` may stand for, by name and then by id."""
    if isinstance(item, bool) or not isinstance(item, (str, int, np.integer)):
        return []
    names = [item] if item in classes else []
    if not isinstance(item, str):
        # The quotes around a name of digits may have been lost on the way in.
        names += [str(item)] if str(item) in classes else []
        names += [names_by_id[item]] if item in names_by_id else []
    return list(dict.fromkeys(names))


def _looks(name: str) -> str:
    return unicodedata.normalize('NFKC', name)


def _unknown(item, classes: Sequence, names_by_id: dict) -> str:
    """Say that ``item`` is no class and which ones come nearest."""
    if isinstance(item, bool) or not isinstance(item, (str, int, np.integer)):
        quotes = ' (a name that reads as something else needs quotes)'
        return f'{item!r} is neither a class name nor a category id; give one{quotes}'
    if isinstance(item, str):
        lowered = {str(name).lower(): name for name in classes}
        nearest = difflib.get_close_matches(item.lower(), lowered, n=3, cutoff=0)
        # Letters that look the same may be written in other code points.
        same = any(_looks(item) == _looks(lowered[name]) for name in nearest)
        shown = ascii if same and not item.isascii() else repr
        hint = ', '.join(shown(lowered[name]) for name in nearest)
        return f'unknown class {shown(item)}; the nearest are {hint}'
    if not names_by_id:
        return f'{item} is no class name and no category ids are known; give names'
    nearest = sorted(names_by_id, key=lambda known: abs(known - item))[:3]
    hint = ', '.join(f'{known} ({names_by_id[known]})' for known in nearest)
    return f'unknown category id {item}; the nearest are {hint}'
