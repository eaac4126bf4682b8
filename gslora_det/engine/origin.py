"""The detector before any erasure, which harm is measured against.

A request may come when earlier ones are long done, and start from the file that they left.
Measured against that file, the harm of many requests would add up unseen.
"""

from collections.abc import Sequence
from pathlib import Path

from mmengine.config import Config

from gslora_det.class_split import ROLES, ClassSplit
from gslora_det.engine.plan import TaskPlan
from gslora_det.engine.record import (
    FILE_NAME,
    load_record,
    measured_on,
    new_record,
    original_of,
    read_record,
    weights_before,
)
from gslora_det.engine.task_config import PREDICTIONS
from gslora_det.evaluation import LEAST_AP, mean_ap
from gslora_det.files import sha256
from gslora_det.weights import exists, fetch, local_path, read_meta
from gslora_det.words import percent


def first_original(cfg: Config) -> tuple[dict | None, dict | None]:
    """Where the detector before any erasure is, for a config that starts from a merged file.

    It is what ``sequence.original`` names, weights or the record of a sequence that began with
    them, or else what the record beside the merged file says.

    Args:
        cfg (Config): A checked config with a ``sequence``.

    Returns:
        tuple: ``file`` and ``sha256`` of the weights, and the record of an earlier sequence;
        None where there is no record. Both None where nothing was erased before.

    Raises:
        ValueError: Nothing or something else is found; one line says what to set.
    """
    meta = read_meta(cfg.load_from)
    erased = [*(meta.get('old') or ()), *(meta.get('forgotten') or ())]
    if not erased:
        return None, None
    wanted, named = meta.get('original'), cfg.sequence.get('original')
    record = _record(named, cfg.load_from)
    if record is not None:
        weights = weights_before(record)
    elif named is not None:
        weights = _weights(named)
    else:
        raise ValueError(
            f'{cfg.load_from} has forgotten {len(erased)} classes already, and harm is measured '
            'against the detector before any erasure: set sequence.original to its weights'
            + (f' (sha256 {wanted[:12]}…)' if wanted else '')
            + ', or to the sequence.json of the run that erased them')
    if wanted and weights['sha256'] != wanted:
        raise ValueError(
            f'sequence.original: {named or weights["file"]} has sha256 {weights["sha256"][:12]}…, '
            f'and {cfg.load_from} was made from weights of {wanted[:12]}…: set sequence.original '
            'to those, or to the sequence.json of the run that began with them')
    return weights, record


def _weights(named: str) -> dict:
    """File and sha256 of the weights that are named."""
    if not exists(named):
        raise ValueError(f'sequence.original: {named} does not exist')
    return dict(file=named, sha256=sha256(fetch(named)))


def _record(named: str | None, merged: str) -> dict | None:
    """The record that is named, or that which lists the merged file and lies above it."""
    if named is not None:
        named = Path(named)
        if not named.is_dir() and named.suffix != '.json':
            return None
        try:
            return read_record(named)
        except ValueError as error:
            raise ValueError(f'sequence.original: {error}') from error
    folder = local_path(merged).resolve().parent.parent
    if not (folder / FILE_NAME).is_file():
        return None
    record = read_record(folder)
    known = [task['merged']['sha256'] for task in record['tasks']]
    return record if sha256(fetch(merged)) in known else None


def settled_record(cfg: Config, plan: Sequence[TaskPlan], begun: Path | None = None) -> dict:
    """The record of a sequence, with what is known of the original model.

    Args:
        cfg (Config): A checked config with a ``sequence``.
        plan (list[TaskPlan]): Its tasks.
        begun (Path, optional): The folder of a sequence that is continued.

    Raises:
        ValueError: The folder holds another sequence, or the original is not to be found.
    """
    before, earlier = first_original(cfg)
    record = new_record(cfg, plan, before)
    if begun is not None:
        record = load_record(begun, record)
    if record['original'] is None:
        record['original'] = known_original(cfg, record, earlier, plan)
    return record


def original_predictions(cfg: Config, work_dir: Path) -> Path | None:
    """The file of what the original model found: of this sequence, or a named one."""
    folders = [work_dir, Path(cfg.sequence.get('original') or work_dir)]
    files = [(folder.parent if folder.suffix == '.json' else folder) / 'original' / PREDICTIONS
             for folder in folders]
    return next(filter(Path.exists, files), None)


def teacher_file(record: dict) -> str:
    """The file of the weights that teachers have, noted in the record of a later sequence.

    Those before any erasure, or where they are gone those that the sequence starts from.

    Raises:
        ValueError: The sequence was begun with others, which are gone.
    """
    if 'original_weights' not in record:
        return record['weights']['file']
    before = weights_before(record)
    found = before if _is_there(before) else record['weights']
    begun = record.setdefault('teacher', found)
    if begun['sha256'] != found['sha256']:
        raise ValueError(f'{begun["file"]}, which this sequence was begun with as a teacher, is '
                         'gone: restore it')
    return found['file']


def known_original(cfg: Config, record: dict, earlier: dict | None,
                   plan: Sequence[TaskPlan]) -> dict | None:
    """What the original model reached, from another sequence's record, where that tells.

    Args:
        cfg (Config): A checked config with a ``sequence``.
        record (dict): The record of this sequence.
        earlier (dict, optional): That of the one that erased classes before.
        plan (list[TaskPlan]): The tasks.

    Returns:
        dict: As ``record['original']``; None where it has to be measured.

    Raises:
        ValueError: The record or the weights that are named are about something else.
    """
    path = cfg.sequence.get('original')
    if earlier is not None:
        if original_of(earlier) == original_of(record):
            return earlier['original']
        return None if _is_there(weights_before(record)) else _from_classes(record, earlier, plan)
    if path is None or 'original_weights' in record:
        return None
    other = _record(path, cfg.load_from)
    if other is None:  # weights: those that the sequence starts from tell nothing new
        if _weights(path)['sha256'] != record['weights']['sha256']:
            raise ValueError(f'sequence.original: {path} has another sha256 than {cfg.load_from}, '
                             'from which nothing was erased before: leave sequence.original out')
        return None
    if original_of(other) != original_of(record):
        raise ValueError(f'sequence.original: {path} is about other classes, weights or data: '
                         'leave it out')
    return other['original']


def _from_classes(record: dict, earlier: dict, plan: Sequence[TaskPlan]) -> dict:
    """The AP of an original model that is gone, from that of its classes."""
    if measured_on(earlier) != measured_on(record):
        raise ValueError(
            f'the original weights {weights_before(record)["file"]} are gone, and their record '
            'is about another detector or other validation data: set sequence.original to the '
            'weights')
    known = earlier['original']
    return dict(AP=known['AP'], per_class=known['per_class'],
                splits=[split_means(known['per_class'], task.split) for task in plan])


def check_original(record: dict) -> None:
    """Refuses an original that finds nothing: an erasure could not be told from it.

    Raises:
        ValueError: Its AP is nearly zero.
    """
    ap = record['original']['AP']
    if ap is None or ap < LEAST_AP:
        raise ValueError(
            f'{weights_before(record)["file"]} finds next to nothing in the validation images '
            f'(AP {percent(ap)}), so that no erasure could be judged: are these its weights, '
            'classes and data_preprocessor? Nothing was trained; start again in another '
            '--work-dir')


def _is_there(weights: dict) -> bool:
    """Whether weights are where they were, with the same content."""
    path = local_path(weights['file'])
    return path.is_file() and sha256(path) == weights['sha256']


def split_means(per_class: dict, split: ClassSplit) -> dict:
    """AP of each split from that of its classes, over all images.

    COCO's AP of several classes is the mean of theirs; that of the ``reference`` protocol
    cannot be had this way and is None.
    """
    return dict({f'AP_{role}': mean_ap(per_class, getattr(split, role)) for role in ROLES},
                reference=dict.fromkeys(f'AP_{role}' for role in ROLES))
