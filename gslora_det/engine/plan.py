"""Everything about a sequence that is settled before any long work starts."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Dict, List, Tuple

from mmdet.registry import DATASETS
from mmengine.config import Config

from gslora_det.class_split import ClassSplit, TaskSequence
from gslora_det.datasets.selection import candidate_images, draw_buffer, images_by_class
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

    def splits(self, suffix: str = '') -> Dict[str, Tuple[str, ...]]:
        """The splits that are measured; those without classes are left out."""
        return {name + suffix: classes for name, classes in asdict(self.split).items()
                if classes}


def annotations(dataset_cfg: dict, hint: str):
    """Class names, their category ids, and image ids by category, of a data set.

    Raises:
        ValueError: The file or the images are missing, or a class is not in the file.
    """
    dataset = DATASETS.build(dict(dataset_cfg, lazy_init=True))
    ann_file, classes = Path(dataset.ann_file), dataset.metainfo['classes']
    if not ann_file.is_file():
        raise ValueError(f'{ann_file} is missing. {hint}'.strip())
    coco = read_json(ann_file)
    ids = {category['name']: category['id'] for category in coco['categories']}
    absent = [name for name in classes if name not in ids]
    if absent:
        raise ValueError(f"class '{absent[0]}' is not among the categories of {ann_file}: "
                         'make metainfo=dict(classes=…) of the data set agree with it')
    folder = Path(dataset.data_prefix.get('img', ''))
    if coco['images'] and not (folder / coco['images'][0]['file_name']).is_file():
        raise ValueError(f'{folder / coco["images"][0]["file_name"]} is missing. '
                         f'{hint}'.strip())
    return classes, {n: ids[n] for n in classes}, images_by_class(coco['annotations'])


def _pictures(images: Dict[int, set], forgotten: List[int], number: int) -> List[int]:
    """The validation images with most kinds of forgotten objects, by id among equals."""
    def kinds(image: int) -> int:
        return sum(image in images.get(category, ()) for category in forgotten)

    candidates = candidate_images(images, forgotten)
    return sorted(sorted(candidates, key=lambda i: (-kinds(i), i))[:number])


def make_plan(cfg: Config) -> List[TaskPlan]:
    """Checks a config that has a ``sequence`` and settles its tasks and buffers.

    Args:
        cfg (Config): An MMDet config with ``sequence`` and ``method``.

    Returns:
        list[TaskPlan]: The tasks, in order.

    Raises:
        ValueError: Something is missing or contradicts the data; one line says what.
    """
    _check_keys(cfg)
    settings, hint = cfg.sequence, cfg.get('missing_data_hint', '')
    classes, ids, train_images = annotations(cfg.train_dataloader.dataset, hint)
    _, _, val_images = annotations(cfg.val_dataloader.dataset, hint)
    sequence = TaskSequence.from_config(
        classes, list(ids.values()),
        **{key: settings[key] for key in
           ('order', 'num_tasks', 'classes_per_task', 'tasks', 'missing')
           if key in settings})
    tasks = []
    for number, split in enumerate(sequence, 1):
        empty = [name for name in split.forgotten if not train_images.get(ids[name])]
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
                buffers[branch] = draw_buffer(train_images, [ids[n] for n in names],
                                              seed=settings.get('buffer_seed', 123),
                                              **options)
            except ValueError as error:
                raise ValueError(f'task {number}, {branch} branch: {error}') from None
        passes = -(-len(buffers['retain']) // settings.retain.batch_size)
        tasks.append(TaskPlan(
            number, split, buffers,
            pictures=_pictures(val_images, [ids[n] for n in split.forgotten],
                               settings.get('pictures', 4)),
            iters=settings.get('iters') or settings.epochs * passes))
    return tasks


def _check_keys(cfg: Config) -> None:
    problems = []
    for key in ('model', 'method', 'train_dataloader', 'val_dataloader', 'val_evaluator',
                'optim_wrapper', 'load_from'):
        if not cfg.get(key):
            problems.append(f'{key} is missing')
    settings = cfg.sequence
    known = ('order', 'num_tasks', 'classes_per_task', 'tasks', 'missing', 'forget',
             'retain', 'mixed_images', 'buffer_seed', 'iters', 'epochs', 'pictures',
             'checkpoint_interval')
    problems += [f"sequence has no setting '{key}'" for key in settings if key not in known]
    for branch in ('forget', 'retain'):
        size = settings.get(branch, {}).get('batch_size')
        if not isinstance(size, int) or size < 1:
            problems.append(f'sequence.{branch} needs batch_size, a whole number from 1 on')
    if bool(settings.get('iters')) == bool(settings.get('epochs')):
        problems.append('sequence needs either iters (steps a task) or epochs (passes over '
                        'the retain buffer)')
    name = (cfg.get('method') or {}).get('type')
    if cfg.get('method') and METHODS.get(name) is None:
        problems.append(f"method '{name}' is unknown; there are "
                        + ', '.join(sorted(METHODS.module_dict)))
    betas = cfg.get('method', {}).get('beta')
    num_tasks = settings.get('num_tasks') or len(settings.get('tasks') or ())
    if isinstance(betas, (list, tuple)) and num_tasks and len(betas) < num_tasks:
        problems.append(f'method.beta has {len(betas)} values for {num_tasks} tasks')
    if problems:
        raise ValueError(f'{cfg.filename}: ' + '; '.join(problems))
