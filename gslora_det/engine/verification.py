"""Is a finished sequence what its record says? A PASS or FAIL line for each part."""

import tempfile
from pathlib import Path
from typing import Iterator

from mmengine.config import Config

from gslora_det.engine.doctor import Check
from gslora_det.engine.plain import evaluate
from gslora_det.engine.plan import make_plan
from gslora_det.engine.record import (
    ARTEFACTS,
    check_file,
    load_record,
    new_record,
    read_record,
    split_metrics,
    with_h,
)
from gslora_det.engine.task_config import BUFFERS, CONFIG
from gslora_det.files import read_json, sha256

# Another processor rounds differently, which can swap detections of nearly equal score.
_TOLERANCE = 1e-4


def verification(work_dir: Path, metrics: bool = True) -> Iterator[Check]:
    """Names and functions of all checks of a sequence's folder.

    Args:
        work_dir (Path): The folder; it is not written to.
        metrics (bool): Also run the folder's config: plan it again, and measure the last
            unlearned detector on its validation set.

    Raises:
        ValueError: There is no record of a sequence that this package reads.
    """
    record = read_record(work_dir)
    yield 'all tasks are finished', lambda: _finished(record)
    yield 'original weights', lambda: _original(record)
    yield 'config', lambda: _config(work_dir, record)
    for task in record['tasks']:
        for kind in ARTEFACTS:
            if kind in task:
                yield f'task {task["task"]}: {kind}', (
                    lambda entry=task[kind]: check_file(work_dir, entry))
        yield f'task {task["task"]}: buffers', lambda task=task: _buffers(work_dir, task)
    if metrics and record['tasks']:
        cfg = Config.fromfile(work_dir / CONFIG)
        yield 'request, method and buffers of the config', lambda: _request(cfg, work_dir)
        yield 'metrics', lambda: _metrics(cfg, work_dir, record['tasks'][-1])


def _finished(record: dict) -> str:
    done, asked = len(record['tasks']), len(record['request'])
    if done < asked:
        raise ValueError(f'{done} of {asked}: continue with --resume')
    return f'{done} of {asked}'


def _original(record: dict) -> str:
    weights = record['weights']
    if not Path(weights['file']).is_file() or sha256(weights['file']) != weights['sha256']:
        raise ValueError(f'{weights["file"]} is not the file that the sequence started from')
    return weights['sha256']


def _config(work_dir: Path, record: dict) -> str:
    if 'config' not in record:
        raise ValueError('the record is of an earlier version, which kept no hash of it')
    return check_file(work_dir, record['config'])


def _buffers(work_dir: Path, task: dict) -> str:
    path = work_dir / f'task_{task["task"]}' / BUFFERS
    if read_json(path) != task['buffers']:
        raise ValueError(f'{path} lists other images than the record')
    return ', '.join(f'{len(ids)} {branch} images' for branch, ids in task['buffers'].items())


def _request(cfg: Config, work_dir: Path) -> str:
    load_record(work_dir, new_record(cfg, make_plan(cfg)))
    return 'as recorded'


def _metrics(cfg: Config, work_dir: Path, task: dict) -> str:
    with tempfile.TemporaryDirectory() as logs:
        cfg.work_dir = logs
        cfg.visualizer = dict(type='DetLocalVisualizer', name=logs)  # writes nowhere
        cfg.test_dataloader = cfg.val_dataloader  # what a sequence measures on
        results = evaluate(cfg, str(work_dir / task['merged']['file']), task['task'])
    found = with_h(split_metrics(results), task['original'])
    recorded, measured = _flat(task['metrics']), _flat(found)
    wrong = [f'{name} is {measured[name]}, recorded {value}'
             for name, value in recorded.items() if not _close(measured.get(name), value)]
    if wrong:
        raise ValueError('; '.join(wrong))
    return ', '.join(f'{name} {100 * value:.2f}' for name, value in recorded.items()
                     if value is not None and '.' not in name)


def _flat(metrics: dict) -> dict:
    """Metrics of both protocols by one name each."""
    return {**{k: v for k, v in metrics.items() if k != 'reference'},
            **{f'reference.{k}': v for k, v in metrics['reference'].items()}}


def _close(a, b) -> bool:
    return a is b is None or None not in (a, b) and abs(a - b) <= _TOLERANCE
