"""Everything about a sequence that is settled before any long work starts."""

from collections.abc import Sequence
from dataclasses import dataclass

from mmengine.config import Config
from mmengine.dist import get_world_size

from gslora_det.checks.annotations import Annotations
from gslora_det.checks.config import check_config
from gslora_det.checks.settings import from_detector, listed, setting
from gslora_det.class_split import ClassSplit, TaskSequence
from gslora_det.datasets.selection import candidate_images, draw_buffer
from gslora_det.files import expand_home
from gslora_det.options import COUNT
from gslora_det.registry import METHODS
from gslora_det.weights import check_classes, check_exists, fetch, read_meta


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
    buffers: dict[str, list[int]]
    pictures: list[int]
    iters: int


class Plan(list[TaskPlan]):
    """The tasks of a sequence, in order.

    Attributes:
        warnings (list[str]): What is odd and tolerated, or may keep the sequence from erasing.
    """
    warnings: Sequence[str] = ()


# Settings of a sequence that say what each task erases.
REQUEST = ('order', 'num_tasks', 'classes_per_task', 'tasks', 'missing')
_FEW_STEPS = 40  # with fewer, no detector was seen to forget; 60 to 150 were enough


def _pictures(images: dict[int, set], forgotten: list[int], number: int) -> list[int]:
    """The validation images with most kinds of forgotten objects, by id among equals."""
    def kinds(image: int) -> int:
        return sum(image in images.get(category, ()) for category in forgotten)

    candidates = candidate_images(images, forgotten)
    return sorted(sorted(candidates, key=lambda i: (-kinds(i), i))[:number])


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
        **{key: cfg.sequence[key] for key in REQUEST if cfg.sequence.get(key) is not None})


def check_request(cfg: Config, labelled: bool = True
                  ) -> tuple[Annotations, Annotations, TaskSequence]:
    """Checks all of a config that needs no objects of the training images.

    Args:
        cfg (Config): As :func:`make_plan` takes and completes it.
        labelled (bool): Read the objects of the training images, which are else taken for none.

    Returns:
        tuple: Training and validation annotations, and the class splits of the tasks.

    Raises:
        ValueError: Something is missing or contradicts the data; one line says what.
    """
    expand_home(cfg._cfg_dict)
    check_config(cfg)
    check_exists(cfg.load_from)  # before any data are drawn
    train = Annotations.of(cfg, 'train_dataloader', labelled)
    val = Annotations.of(cfg, 'val_dataloader')
    _check_same_classes(cfg, train, val)
    cfg.val_evaluator = val.evaluator(cfg.val_evaluator, 'val_evaluator')
    return train, val, class_splits(cfg, train)


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
    train, val, sequence = check_request(cfg)
    tasks = Plan(_plan_task(cfg, number, split, train, val)
                 for number, split in enumerate(sequence, 1))
    val.check_images()
    train.check_images(sorted({i for task in tasks for b in task.buffers.values() for i in b}))
    tasks.warnings = train.warnings + val.warnings + _doubts(cfg, tasks, train, val)
    return tasks


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
        by = (" by the detector's own labels: lower sequence.label_score_thr "
              f"({setting(settings, 'label_score_thr')})," if from_detector(settings) else ':')
        raise ValueError(f"task {number}: no training image shows '{empty[0]}'{by} leave it out "
                         'of the sequence, or add images that show it')
    buffers = {}
    for branch, names in split.branches.items():
        options = {k: v for k, v in settings[branch].items() if k != 'batch_size'}
        try:
            buffers[branch] = draw_buffer(train.images, [ids[n] for n in names],
                                          seed=setting(settings, 'buffer_seed'), **options)
        except ValueError as error:
            raise ValueError(f'task {number}, {branch} branch: {error}') from None
    if setting(settings, 'mixed_images') == 'keep':
        mixed = set().union(*(train.boxed[ids[n]] for n in split.branches['retain']
                              if ids[n] in train.boxed)).intersection(buffers['forget'])
        buffers['retain'] = sorted(mixed.union(buffers['retain']))
    passes = -(-len(buffers['retain']) // (settings.retain.batch_size * get_world_size()))
    iters = settings.get('iters') or settings.epochs * passes
    return TaskPlan(
        number, split, buffers,
        pictures=_pictures(val.images, [val.ids[n] for n in split.forgotten],
                           setting(settings, 'pictures')),
        iters=iters if METHODS.get(cfg.method.type).trains else 0)


def _doubts(cfg: Config, tasks: list[TaskPlan], train: Annotations, val: Annotations) -> list[str]:
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
