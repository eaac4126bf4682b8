"""What can be set in a config's ``sequence``, and how parts of a config are read."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gslora_det.options import LIST, SCORE, one_of

# The rules of the settings that say whose the labels of the training images are.
LABELS = dict(labels=one_of('annotations', 'detector'), label_score_thr=SCORE)


@dataclass(frozen=True)
class SequenceSettings:
    """All settings of ``sequence``, with what they are where they are not set.

    The requests are given as ``tasks``, or as ``order``, ``num_tasks`` and
    ``classes_per_task``. A buffer is a dict of ``batch_size`` (images a step, on each process)
    and of how many images there are, see :func:`gslora_det.datasets.selection.draw_buffer`.

    Args:
        tasks (list[list]): The requests: for each the class names or category ids that it erases.
        order (int | list): Instead of ``tasks``, a seed that shuffles the classes, or the classes
            in an order of your own; the tail is erased first.
        num_tasks (int): Number of requests that are taken from ``order``.
        classes_per_task (int): Number of classes that each of them erases.
        missing (list): Retained classes without training data, by name or id. They are measured
            on their own.
        forget (dict): The buffer of training images that show a class to erase.
        retain (dict): The buffer of training images that show a class to keep.
        labels (str): What the objects of the training images are: ``'annotations'``, those of
            their file, or ``'detector'``, what the original finds in them. The file then is a
            list of images.
        label_score_thr (float): From which score on a detection is such an object.
        mixed_images (str): What objects of other classes are in a buffer's images:
            ``'background'`` (as published); ``'ignore'``, neither object nor background; or
            ``'keep'``, for who has their labels: ignored, and images of the forget buffer that
            show a class to keep are in the retain buffer, too.
        crowds (str): The same of regions of many objects (``iscrowd``).
        buffer_seed (int): Seed that draws the buffers.
        iters (int): Training steps of each task. Set this or ``epochs``.
        epochs (int): The same as passes over the retain buffer.
        original (str): The weights before any erasure, or the ``sequence.json`` of the run that
            began with them: only where a sequence starts from a ``merged.pth`` without that
            record beside it.
        cache_gib (float): Memory, in GiB, for what the frozen parts make of an image. They run
            once an image then, for training, teachers and evaluation of all tasks; only where no
            step of the pipelines is random.
        checkpoint_interval (int): Steps between two checkpoints, from which ``--resume`` goes on.
        pictures (int): Pictures of erased boxes that each task draws.
        requester (str): Who asked for the erasure; recorded, for the report.
        request_id (str): Under which number.
        operator (str): Who carries it out.
    """
    tasks: Sequence[Sequence] | None = None
    order: int | Sequence | None = None
    num_tasks: int | None = None
    classes_per_task: int | None = None
    missing: Sequence = ()
    forget: dict | None = None
    retain: dict | None = None
    labels: str = 'annotations'
    label_score_thr: float = 0.5
    mixed_images: str = 'background'
    crowds: str = 'ignore'
    buffer_seed: int = 123
    iters: int | None = None
    epochs: int | None = None
    original: str | None = None
    cache_gib: float = 2.0
    checkpoint_interval: int = 200
    pictures: int = 4
    requester: str | None = None
    request_id: str | None = None
    operator: str | None = None


def from_detector(settings: Any) -> bool:
    """Whether the labels of the training images are what the original finds in them."""
    return isinstance(settings, dict) and setting(settings, 'labels') == 'detector'


def setting(settings: dict, name: str) -> Any:
    """The value of one of the settings; None stands for one that is not set."""
    value = settings.get(name)
    return getattr(SequenceSettings, name) if value is None else value


def listed(cfg: dict, key: str, prefix: str = '') -> list[tuple[str, Any]]:
    """The parts of a setting that is one or a list, with their names."""
    parts = cfg.get(key) or []
    parts = parts if LIST.holds(parts) else [parts]
    return [(f'{prefix}{key}.{number}', part) for number, part in enumerate(parts)]


def type_name(part: Any) -> str:
    """The name of a config's type, whether given as a name, with its scope, or as a class."""
    kind = part.get('type') if isinstance(part, dict) else None
    return getattr(kind, '__name__', str(kind)).rpartition('.')[2]
