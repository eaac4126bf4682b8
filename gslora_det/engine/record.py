"""``sequence.json``: what was asked, what was done, and what was measured."""

import hashlib
import json
import math
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.dist import get_world_size

from gslora_det.checks.settings import LABELS
from gslora_det.class_split import ROLES
from gslora_det.datasets.branch_dataset import BRANCHES, READINGS
from gslora_det.engine.filing import filing_of, filled_in
from gslora_det.engine.plan import TaskPlan
from gslora_det.engine.recorded_files import annotation_file, check_file
from gslora_det.evaluation import h_mean
from gslora_det.files import as_json, read_json, sha256, write_json
from gslora_det.weights import fetch

FORMAT_VERSION = 1
FILE_NAME = 'sequence.json'
_KEYS = ('request', 'method_config', 'filing', 'buffers', 'settings', 'weights', 'runs',
         'original')
ARTEFACTS = ('adapter', 'merged')  # a task's files; not every method has an adapter
# Settings that the result depends on, beside those that the record holds by themselves.
_SETTINGS = ('model', 'optim_wrapper', 'param_scheduler', 'auto_scale_lr', 'randomness')
_SEQUENCE_SETTINGS = ('iters', 'epochs', *BRANCHES, *READINGS, *LABELS, 'missing')


def null(value: float | None) -> float | None:
    """A number that JSON takes; None for what was not measured."""
    return None if value is None or math.isnan(value) else float(value)


def split_metrics(results: dict[str, float], suffix: str = '') -> dict:
    """AP of each split from the metric's results, in both protocols.

    Args:
        results (dict): ``coco/AP_retained`` and so on.
        suffix (str): What follows the split's name, such as ``'_1'`` for the splits of task 1.
    """
    def read(protocol: str) -> dict:
        return {f'AP_{role}': null(results.get(f'coco/AP_{role}{suffix}{protocol}'))
                for role in ROLES}

    return dict(read(''), reference=read('_reference'))


def with_h(metrics: dict, original: dict) -> dict:
    """Adds H and H_max, from the original model's AP on the same splits."""
    def add(now: dict, before: dict) -> dict:
        return dict(
            now, H=h_mean(now['AP_retained'], before['AP_forgotten'], now['AP_forgotten']),
            H_max=h_mean(before['AP_retained'], before['AP_forgotten'], 0.0))

    return dict(add(metrics, original), reference=add(metrics['reference'], original['reference']))


def class_precisions(results: dict[str, float], classes: list[str]) -> dict:
    """AP of each class from the metric's classwise results."""
    return {name: null(results.get(f'coco/{name}_precision')) for name in classes}


def new_record(cfg: Config, plan: list[TaskPlan], before: dict | None = None) -> dict:
    """A record in which no task is finished.

    Args:
        cfg (Config): The config of the sequence.
        plan (list[TaskPlan]): Its tasks.
        before (dict, optional): ``file`` and ``sha256`` of the weights before any erasure,
            where an earlier sequence began with them.
    """
    method, weights = as_json(cfg.method.to_dict()), cfg.load_from
    earlier = dict(original_weights=before,
                   erased_before=list(plan[0].split.old)) if before else {}
    return dict(
        earlier,
        format_version=FORMAT_VERSION, name=Path(cfg.filename).stem, method=method['type'],
        method_config=method, request=[list(task.split.forgotten) for task in plan],
        filing=filing_of(cfg.sequence), buffers=[task.buffers for task in plan],
        settings=_settings(cfg), weights=dict(file=weights, sha256=_sha256(weights)), runs=[],
        original=None, tasks=[])


def _settings(cfg: Config) -> dict:
    """The settings that the result depends on; files count by their content."""
    known = cfg.to_dict()
    found = {key: known[key] for key in _SETTINGS if key in known}
    found['sequence'] = {key: value for key, value in known['sequence'].items()
                         if key in _SEQUENCE_SETTINGS}
    found['data'] = {name: _data(known[f'{name}_dataloader']['dataset'])
                     for name in ('train', 'val')}
    found['data']['val_evaluator'] = {
        key: value for key, value in known['val_evaluator'].items() if key != 'ann_file'}
    found['processes'] = get_world_size()
    return as_json(found)


def _data(dataset: dict) -> dict:
    """A data set's settings, with a hash of the annotations instead of their place."""
    return dict({key: value for key, value in dataset.items()
                 if key not in ('data_root', 'ann_file')},
                annotations_sha256=sha256(annotation_file(dataset)))


def flat(value: Any, name: str = '') -> dict:
    """The values in nested dicts and lists, by dotted names."""
    if not isinstance(value, (dict, list)):
        return {name: value}
    parts = value.items() if isinstance(value, dict) else enumerate(value)
    return {key: leaf for part, inner in parts
            for key, leaf in flat(inner, f'{name}.{part}' if name else str(part)).items()}


def read_record(path: Path) -> dict:
    """Reads the record of a sequence.

    Args:
        path (Path): The file, or the folder with a ``sequence.json``.

    Raises:
        ValueError: It is missing, damaged, or of another format version.
    """
    path = path / FILE_NAME if path.suffix != '.json' else path
    record = read_json(path)
    if not isinstance(record, dict) or not isinstance(record.get('tasks'), list):
        raise ValueError(f'{path} is no record of a sequence')
    if record.get('format_version') != FORMAT_VERSION:
        raise ValueError(f'{path} has format version {record.get("format_version")}, this '
                         f'package reads {FORMAT_VERSION}: use the package that wrote it')
    if record.pop('sha256', None) != digest(record):
        raise ValueError(f'{path} was changed after it was written: its sha256 differs')
    absent = [key for key in _KEYS if key not in record]
    if absent:
        raise ValueError(f'{path} has no {absent[0]}: it was written by an earlier package, which '
                         'reads it')
    return record


def check_resumable(folder: str) -> None:
    """Refuses to continue where nothing was begun.

    Raises:
        ValueError: It is no folder with the record of a sequence.
    """
    if Path(folder).is_file():
        raise ValueError(f'--resume {folder}: a sequence is continued from its work dir, the '
                         f'folder of its {FILE_NAME}, not from a checkpoint')
    if not (Path(folder) / FILE_NAME).is_file():
        raise ValueError(f'--resume {folder}: there is no sequence to continue, for there is no '
                         f'{Path(folder) / FILE_NAME}')


def load_record(work_dir: Path, expected: dict) -> dict:
    """Reads the record of an unfinished sequence and checks that it is the same one.

    Raises:
        ValueError: It cannot be read or is of another request, or a finished task's files
            are not those that were recorded.
    """
    record = read_record(work_dir)
    for key in ('request', 'buffers', 'method_config'):
        if record[key] != expected[key]:
            raise ValueError(f'{work_dir} holds another sequence ({key} differs): resume '
                             'with the config it was started with, or set another '
                             '--work-dir')
    for key in ('weights', 'original_weights'):
        before, now = (side.get(key) or {} for side in (record, expected))
        if before.get('sha256') != now.get('sha256'):
            raise ValueError(f'{work_dir} was started from {before.get("file")} and not from '
                             f'{now.get("file")}, which has another sha256: resume with what it '
                             'was started with, or set another --work-dir')
    record['filing'] = filled_in(record, expected['filing'], work_dir)
    before, now = flat(record['settings']), flat(expected['settings'])
    for key in sorted({*before, *now}):
        if before.get(key) != now.get(key):
            raise ValueError(f'{work_dir} was started with {key} {before.get(key)}, not '
                             f'{now.get(key)}: resume with what it was started with, or set '
                             'another --work-dir')
    for task in record['tasks']:
        for kind in ARTEFACTS:
            if kind in task:
                check_file(work_dir, task[kind])
    return record


def run_id(record: dict) -> str:
    """What a run keeps from its beginning to its end, as one hash."""
    begun = ('name', 'request', 'buffers', 'method_config', 'settings', 'weights')
    return digest(dict({key: record[key] for key in begun},
                       started=[run['started'] for run in record['runs'][:1]]))


def original_of(record: dict) -> list:
    """What the original model's AP depends on."""
    return [record['request'], weights_before(record)['sha256'], *measured_on(record),
            record['settings']['sequence'].get('missing')]


def weights_before(record: dict) -> dict:
    """File and sha256 of the weights before any erasure, in this sequence or an earlier one."""
    return record.get('original_weights') or record['weights']


def measured_on(record: dict) -> list:
    """The detector and the data of a record's measurements."""
    model, data = record['settings']['model'], record['settings']['data']
    return [model, data['val'], data['val_evaluator']]


def save_record(work_dir: Path, record: dict) -> None:
    """Writes ``sequence.json`` atomically, with a hash of its content."""
    record = {key: value for key, value in record.items() if key != 'sha256'}
    write_json(work_dir / FILE_NAME, dict(record, sha256=digest(record)))


def digest(record: dict) -> str:
    """One hash of a record's content."""
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()


def _sha256(weights: str) -> str | None:
    path = fetch(weights)
    return sha256(path) if path.is_file() else None
