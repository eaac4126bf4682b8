"""Everything about a sequence that is settled before any long work starts."""

import itertools
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Iterable, List, Optional

from mmdet.registry import DATASETS
from mmengine.config import Config
from mmengine.dist import get_world_size, is_main_process

from gslora_det.class_split import ClassSplit, TaskSequence
from gslora_det.datasets.annotation_checks import check_annotations
from gslora_det.datasets.image_checks import check_images
from gslora_det.datasets.selection import candidate_images, draw_buffer, images_by_class
from gslora_det.engine.checkpoint import fetch, read_meta
from gslora_det.engine.config_checks import check_config
from gslora_det.files import read_json
from gslora_det.registry import METHODS


@dataclass(frozen=True)
class TaskPlan:
    """One task of a sequence.

    Attributes:
        number (int): From 1 on.
        split (ClassSplit): Retained, forgotten and old classes.
        buffers (dict[str, list[int]]): Image ids of ``'forget'`` and ``'retain'``.
        pictures (list[int]): Validation images to draw before and after.
        iters (int): Training steps.
    """
    number: int
    split: ClassSplit
    buffers: Dict[str, List[int]]
    pictures: List[int]
    iters: int


class Annotations:
    """The annotation file of a data set, checked.

    Attributes:
        classes (tuple[str]): The classes that are used.
        ids (dict[str, int]): Their category ids.
        images (dict[int, set[int]]): Image ids by category.
        boxed (dict[int, set[int]]): Those with a box that is no crowd.
        warnings (list[str]): What is odd and tolerated.

    Raises:
        ValueError: The file is missing or cannot be used.
    """

    def __init__(self, dataset_cfg: dict, hint: str) -> None:
        try:
            dataset = DATASETS.build(dict(dataset_cfg, lazy_init=True))
        except (KeyError, TypeError) as error:  # an unknown type or option
            raise ValueError(f'data set {dataset_cfg.get("type")}: {error.args[0]}') from error
        if not hasattr(dataset, 'ann_file'):
            raise ValueError(f'data set {dataset_cfg.get("type")} has no annotation file of '
                             'its own: name the data set that it wraps instead')
        ann_file, self.classes = Path(dataset.ann_file), dataset.metainfo['classes']
        if not ann_file.is_file():
            raise ValueError(f'{ann_file} is missing. {hint}'.strip())
        coco = read_json(ann_file)
        self.warnings = check_annotations(coco, ann_file, self.classes)
        ids = {category['name']: category['id'] for category in coco['categories']}
        self.ids = {name: ids[name] for name in self.classes}
        self.images = images_by_class(coco['annotations'])
        self.boxed = images_by_class([a for a in coco['annotations'] if not a['iscrowd']])
        self._entries = {image['id']: image for image in coco['images']}
        if 'img' not in dataset.data_prefix:
            raise ValueError(f'the data set of {ann_file} needs data_prefix=dict(img=…), the '
                             'folder of its images')
        self._folder, self._hint = Path(dataset.data_prefix['img']), hint

    def check_images(self, chosen: Optional[Iterable[int]] = None) -> None:
        """Checks the files of the chosen images, by default of all."""
        chosen = self._entries if chosen is None else chosen
        self.warnings += check_images(
            self._folder, (self._entries[key] for key in chosen), self._hint)


def _pictures(images: Dict[int, set], forgotten: List[int], number: int) -> List[int]:
    """The validation images with most kinds of forgotten objects, by id among equals."""
    def kinds(image: int) -> int:
        return sum(image in images.get(category, ()) for category in forgotten)

    candidates = candidate_images(images, forgotten)
    return sorted(sorted(candidates, key=lambda i: (-kinds(i), i))[:number])


def class_splits(cfg: Config, annotations: Annotations) -> TaskSequence:
    """The class splits of a config's tasks, by names and ids of its annotations.

    What the checkpoint says it has forgotten already, in an earlier sequence, counts as old.
    """
    known = read_meta(cfg.load_from) if fetch(cfg.load_from).is_file() else {}
    return TaskSequence.from_config(
        annotations.classes, list(annotations.ids.values()),
        erased=[*known.get('old', ()), *known.get('forgotten', ())],
        **{key: cfg.sequence[key] for key in
           ('order', 'num_tasks', 'classes_per_task', 'tasks', 'missing')
           if key in cfg.sequence})


def make_plan(cfg: Config) -> List[TaskPlan]:
    """Checks a config that has a ``sequence`` and settles its tasks and buffers.

    Args:
        cfg (Config): An MMDet config with ``sequence`` and ``method``.

    Returns:
        list[TaskPlan]: The tasks, in order.

    Raises:
        ValueError: Something is missing or contradicts the data; one line says what.
    """
    check_config(cfg)
    settings, hint = cfg.sequence, cfg.get('missing_data_hint', '')
    train = Annotations(cfg.train_dataloader.dataset, hint)
    val = Annotations(cfg.val_dataloader.dataset, hint)
    ids = train.ids
    for one, other in itertools.zip_longest(train.classes, val.classes):
        if one != other:
            raise ValueError(f'{cfg.filename}: training and validation set need the same '
                             f'classes in the same order; the first that differs is {one!r} '
                             f'there and {other!r} here: set the same metainfo in both')
    sequence = class_splits(cfg, train)
    unseen = [name for name in sequence[-1].retained
              if ids[name] not in train.boxed and name not in sequence[-1].missing]
    if unseen:
        train.warnings.append(
            f'retained classes without a training box: {len(unseen)} (the first is '
            f"'{unseen[0]}'); sequence.missing would measure them apart")
    tasks = []
    for number, split in enumerate(sequence, 1):
        empty = [name for name in split.forgotten if ids[name] not in train.boxed]
        if empty:
            raise ValueError(f"task {number}: no training image shows '{empty[0]}': leave it "
                             'out of the sequence, or add images that show it')
        branches = dict(
            forget=split.forgotten,
            retain=[name for name in split.retained if name not in split.missing])
        buffers = {}
        for branch, names in branches.items():
            options = {k: v for k, v in settings[branch].items() if k != 'batch_size'}
            try:
                buffers[branch] = draw_buffer(train.images, [ids[n] for n in names],
                                              seed=settings.get('buffer_seed', 123),
                                              **options)
            except ValueError as error:
                raise ValueError(f'task {number}, {branch} branch: {error}') from None
        batch = settings.retain.batch_size * get_world_size()
        passes = -(-len(buffers['retain']) // batch)
        iters = settings.get('iters') or settings.epochs * passes
        shown = set(buffers['forget'])
        unseen = [n for n in split.forgotten if not shown & train.boxed[ids[n]]]
        if unseen:
            train.warnings.append(
                f'task {number}: classes without an object in the forget buffer, by which they '
                f"would be erased: {len(unseen)} (the first is '{unseen[0]}'); raise the "
                'fraction or shots of sequence.forget, or set another sequence.buffer_seed')
        tasks.append(TaskPlan(
            number, split, buffers,
            pictures=_pictures(val.images, [val.ids[n] for n in split.forgotten],
                               settings.get('pictures', 4)),
            iters=iters if METHODS.get(cfg.method.type).trains else 0))
    val.check_images()
    train.check_images(sorted({i for task in tasks for b in task.buffers.values() for i in b}))
    if is_main_process():
        for warning in train.warnings + val.warnings:
            print(f'warning: {warning}', file=sys.stderr)
    return tasks
