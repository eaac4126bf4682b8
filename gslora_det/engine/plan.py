"""Everything about a sequence that is settled before any long work starts."""

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Iterable, List, Optional, Sequence

from mmdet.registry import DATASETS
from mmengine.config import Config
from mmengine.dist import get_world_size

from gslora_det.class_split import ClassSplit, TaskSequence
from gslora_det.datasets.annotation_checks import check_annotations
from gslora_det.datasets.image_checks import check_images
from gslora_det.datasets.selection import candidate_images, draw_buffer, images_by_class
from gslora_det.engine.checkpoint import check_exists, fetch, read_meta
from gslora_det.engine.config_checks import check_config, listed, type_name
from gslora_det.files import expand_home, read_json
from gslora_det.options import COUNT, in_one_line
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


class Plan(List[TaskPlan]):
    """The tasks of a sequence, in order.

    Attributes:
        warnings (list[str]): What is odd and tolerated, or may keep the sequence from erasing.
    """
    warnings: Sequence[str] = ()


# They show images more often; a buffer is drawn from what they repeat.
_REPEATING = ('RepeatDataset', 'ClassBalancedDataset')
_FEW_STEPS = 40  # with fewer, no detector was seen to forget; 60 to 150 were enough


def plain_dataset(loader: dict, name: str) -> dict:
    """The config of a loader's data set, without wrappers that only repeat its images.

    Args:
        loader (dict): Config of a data loader.
        name (str): What an error calls it.

    Raises:
        ValueError: The data set mixes or joins others; one line says what to set instead.
    """
    dataset = loader['dataset']
    while type_name(dataset) in _REPEATING and isinstance(dataset.get('dataset'), dict):
        dataset = dataset['dataset']
    inner = [key for key in ('dataset', 'datasets') if key in dataset]
    if inner:
        raise ValueError(
            f'{name}.dataset is a {type_name(dataset)}: buffers are drawn from one data set '
            f'with an annotation file of its own: set {name}.dataset to the one inside, '
            + ('with a pipeline that mixes no images' if inner == ['dataset'] else
               'or to one whose annotation file joins theirs'))
    return dataset


class Annotations:
    """The annotation file of a data set, checked.

    Attributes:
        ann_file (Path): The file.
        classes (tuple[str]): The classes that are used.
        ids (dict[str, int]): Their category ids.
        images (dict[int, set[int]]): Image ids by category.
        boxed (dict[int, set[int]]): Those with a box that is no crowd and not ignored.
        warnings (list[str]): What is odd and tolerated.

    Raises:
        ValueError: The file is missing or cannot be used.
    """

    def __init__(self, dataset_cfg: dict, hint: str) -> None:
        try:
            dataset = DATASETS.build(dict(dataset_cfg, lazy_init=True))
        except Exception as error:  # an unknown type or option, a package that is not there
            raise ValueError(f'data set {dataset_cfg.get("type")}: {in_one_line(error)}'
                             ) from error
        if not hasattr(dataset, 'ann_file'):
            raise ValueError(f'data set {dataset_cfg.get("type")} has no annotation file')
        ann_file, self.classes = Path(dataset.ann_file), dataset.metainfo.get('classes')
        if not isinstance(self.classes, (list, tuple)):  # ('dog') is no tuple
            raise ValueError(f'the data set of {ann_file} has classes={self.classes!r}, which is '
                             "no list of names: set metainfo=dict(classes=['…'])")
        if not ann_file.is_file():
            raise ValueError(f'{ann_file} is missing. {hint}'.strip())
        self.ann_file, coco = ann_file, read_json(ann_file)
        self.warnings = check_annotations(coco, ann_file, self.classes)
        ids = {category['name']: category['id'] for category in coco['categories']}
        self.ids = {name: ids[name] for name in self.classes}
        self.images = images_by_class(coco['annotations'])
        self.boxed = images_by_class([a for a in coco['annotations']
                                      if not (a['iscrowd'] or a.get('ignore'))])
        self._entries = {image['id']: image for image in coco['images']}
        if 'img' not in dataset.data_prefix:
            raise ValueError(f'the data set of {ann_file} needs data_prefix=dict(img=…), the '
                             'folder of its images')
        self._folder, self._hint = Path(dataset.data_prefix['img']), hint

    def __len__(self) -> int:
        return len(self._entries)

    def evaluator(self, config: dict, name: str) -> dict:
        """An evaluator's config for these annotations, which it takes where it names none.

        Raises:
            ValueError: It names a file of other content.
        """
        given = config.get('ann_file')
        if given and '://' not in given:
            if not Path(given).is_file():
                raise ValueError(f'{name}.ann_file: {given} is missing. {self._hint}'.strip())
            if not self.ann_file.samefile(given) and read_json(self.ann_file) != read_json(given):
                raise ValueError(
                    f'{name}.ann_file is {given} and the data set has {self.ann_file}, which '
                    'differs: what is found in the images of one would be measured against the '
                    f'objects of the other; leave {name}.ann_file out')
        if config.get('sort_categories') and list(self.ids.values()) != sorted(self.ids.values()):
            raise ValueError(f'{name}.sort_categories numbers the classes by id and the data set '
                             f'of {self.ann_file} by the order of the file: leave it out')
        return dict(config, ann_file=given or str(self.ann_file))

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


def class_splits(cfg: Config, annotations: Annotations) -> TaskSequence:
    """The class splits of a config's tasks, by names and ids of its annotations.

    What the checkpoint says it has forgotten already, in an earlier sequence, counts as old.

    Raises:
        ValueError: The classes are not those of the data set or of the checkpoint.
    """
    known = read_meta(cfg.load_from) if fetch(cfg.load_from).is_file() else {}
    check_classes(known, cfg.load_from, annotations.classes)
    return TaskSequence.from_config(
        annotations.classes, list(annotations.ids.values()),
        erased=[*known.get('old', ()), *known.get('forgotten', ())],
        **{key: cfg.sequence[key] for key in
           ('order', 'num_tasks', 'classes_per_task', 'tasks', 'missing')
           if key in cfg.sequence})


def make_plan(cfg: Config) -> Plan:
    """Checks a config that has a ``sequence`` and settles its tasks and buffers.

    Args:
        cfg (Config): An MMDet config with ``sequence`` and ``method``. Completed in place:
            ``~`` in paths, data sets without wrappers, the evaluator's annotation file.

    Returns:
        Plan: The tasks, with warnings.

    Raises:
        ValueError: Something is missing or contradicts the data; one line says what.
    """
    expand_home(cfg._cfg_dict)
    check_config(cfg)
    check_exists(cfg.load_from)  # before any data are drawn
    train, val = (_annotations(cfg, name) for name in ('train_dataloader', 'val_dataloader'))
    _check_same_classes(cfg, train, val)
    cfg.val_evaluator = val.evaluator(cfg.val_evaluator, 'val_evaluator')
    sequence = class_splits(cfg, train)
    tasks = Plan(_plan_task(cfg, number, split, train, val)
                 for number, split in enumerate(sequence, 1))
    val.check_images()
    train.check_images(sorted({i for task in tasks for b in task.buffers.values() for i in b}))
    tasks.warnings = train.warnings + val.warnings + _doubts(cfg, tasks, train, val)
    return tasks


def _annotations(cfg: Config, name: str) -> Annotations:
    cfg[name].dataset = plain_dataset(cfg[name], name)
    return Annotations(cfg[name].dataset, cfg.get('missing_data_hint', ''))


def _check_same_classes(cfg: Config, train: Annotations, val: Annotations) -> None:
    for one, other, where in ((train, val, 'validation'), (val, train, 'training')):
        absent = [name for name in one.classes if name not in other.classes]
        if absent:
            raise ValueError(f'{cfg.filename}: training and validation set need the same '
                             f'classes; the {where} set lacks {len(absent)} (the first is '
                             f'{absent[0]!r}): set the same metainfo in both')
    for one, other in zip(train.classes, val.classes):
        if one != other:
            raise ValueError(f'{cfg.filename}: training and validation set need the same '
                             f'classes in the same order; the first that differs is {one!r} '
                             f'there and {other!r} here: set the same metainfo in both')


def _plan_task(cfg: Config, number: int, split: ClassSplit, train: Annotations,
               val: Annotations) -> TaskPlan:
    settings, ids = cfg.sequence, train.ids
    empty = [name for name in split.forgotten if ids[name] not in train.boxed]
    if empty:
        raise ValueError(f"task {number}: no training image shows '{empty[0]}': leave it out "
                         'of the sequence, or add images that show it')
    branches = dict(forget=split.forgotten,
                    retain=[name for name in split.retained if name not in split.missing])
    buffers = {}
    for branch, names in branches.items():
        options = {k: v for k, v in settings[branch].items() if k != 'batch_size'}
        try:
            buffers[branch] = draw_buffer(train.images, [ids[n] for n in names],
                                          seed=settings.get('buffer_seed', 123), **options)
        except ValueError as error:
            raise ValueError(f'task {number}, {branch} branch: {error}') from None
    passes = -(-len(buffers['retain']) // (settings.retain.batch_size * get_world_size()))
    iters = settings.get('iters') or settings.epochs * passes
    return TaskPlan(
        number, split, buffers,
        pictures=_pictures(val.images, [val.ids[n] for n in split.forgotten],
                           settings.get('pictures', 4)),
        iters=iters if METHODS.get(cfg.method.type).trains else 0)


def _doubts(cfg: Config, tasks: List[TaskPlan], train: Annotations,
            val: Annotations) -> List[str]:
    """What may keep a sequence from erasing, or anybody from seeing it; each with a count."""
    last = tasks[-1].split
    doubts = [
        ('retained classes without a training box, which sequence.missing would measure apart',
         [f"'{name}'" for name in last.retained
          if train.ids[name] not in train.boxed and name not in last.missing]),
        ('erased classes without a validation object, so that nobody can see whether they are '
         'erased', [f"'{name}' of task {task.number}" for task in tasks
                    for name in task.split.forgotten if val.ids[name] not in val.boxed]),
        ('retained classes without a validation object, so that nobody can see whether they '
         'suffer', [f"'{name}'" for name in last.retained if val.ids[name] not in val.boxed]),
        ('classes without an object in the forget buffer, by which they would be erased (raise '
         'the fraction or shots of sequence.forget, or set another sequence.buffer_seed)',
         [f"'{name}' of task {task.number}" for task in tasks for name in task.split.forgotten
          if not train.boxed[train.ids[name]].intersection(task.buffers['forget'])]),
        ('parts of the schedule that end after the last step of a task, such as a warm-up that '
         'it never leaves', [
             f'{name}, at step {part["end"]}, in task {task.number} of {task.iters} steps'
             for task in tasks for name, part in listed(cfg, 'param_scheduler')
             if task.iters and COUNT.holds(part.get('end')) and part['end'] > task.iters]),
        (f'tasks of fewer than {_FEW_STEPS} steps, which may be too few to erase (raise '
         'sequence.epochs or sequence.iters)',
         [f'task {task.number} with {task.iters}' for task in tasks
          if METHODS.get(cfg.method.type).trains and task.iters < _FEW_STEPS])]
    return [f'{what}: {len(found)} (the first is {found[0]})' for what, found in doubts if found]
