"""What a checkpoint says of the data set that its detector was trained on."""

import contextlib
import itertools
from collections.abc import Sequence

from gslora_det.weights.unpickling import CheckpointError
from gslora_det.weights.writable import plain


def dataset_meta(dataset) -> dict:
    """What a checkpoint says of its data set: its meta information, as MMEngine stores it.

    Without a palette there is none in it, for MMDetection then makes one up; what is of no
    plain type is left out, for it would not load safely.
    """
    known = {}
    for key, value in dataset.metainfo.items():
        with contextlib.suppress(CheckpointError):
            known[key] = plain(value)
    return {key: value for key, value in known.items() if key != 'palette' or value}


def check_classes(meta: dict, weights: str, classes: Sequence[str]) -> None:
    """Compares the classes that a checkpoint says it was trained on with a data set's.

    Args:
        meta (dict): What the checkpoint says of itself, see ``read_meta``.
        weights (str): Its name, for messages.
        classes (list[str]): The data set's.

    Raises:
        ValueError: They differ, or stand in another order: labels would mean other classes.
    """
    of_data = meta.get('dataset_meta') if isinstance(meta.get('dataset_meta'), dict) else {}
    trained = of_data.get('classes') or of_data.get('CLASSES') or meta.get('CLASSES') or classes
    for one, other in itertools.zip_longest(trained, classes):
        if one != other:
            raise ValueError(
                f'{weights} was trained on other classes than the data set has, or in another '
                f'order; the first that differs is {one!r} there and {other!r} here')
