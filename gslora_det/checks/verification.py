"""Is a finished sequence what its record says? A PASS or FAIL line for each part."""

import functools
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from mmengine.config import Config

from gslora_det.checks.doctor import Check, findings
from gslora_det.config_file import load_config
from gslora_det.engine.attack_record import FILE_NAME, check_attacks, read_attacks
from gslora_det.engine.origin import first_original
from gslora_det.engine.plain import evaluate
from gslora_det.engine.plan import TaskPlan, make_plan
from gslora_det.engine.record import (
    ARTEFACTS,
    class_precisions,
    flat,
    load_record,
    new_record,
    null,
    read_record,
    split_metrics,
    weights_before,
    with_h,
)
from gslora_det.engine.recorded_files import check_file
from gslora_det.engine.task_config import BUFFERS, CONFIG, split_evaluator, splits_of
from gslora_det.engine.verification_record import write_verification
from gslora_det.evaluation import attack_rows
from gslora_det.files import read_json
from gslora_det.weights import local_path
from gslora_det.words import percent, plural

# Another processor rounds differently, which can swap detections of nearly equal score.
_TOLERANCE = 1e-4
_CLASS_TOLERANCE = 1e-2  # of one class, which may have few objects


def verify(work_dir: Path, metrics: bool = True) -> bool:
    """Checks a sequence's folder, prints a line for each part and keeps what was found there.

    Args:
        work_dir (Path): The folder; ``verification.json`` is written into it, for the report.
        metrics (bool): See :func:`verification`.

    Returns:
        bool: Whether every check passed.

    Raises:
        ValueError: There is no record of a sequence that this package reads.
    """
    record = read_record(work_dir)
    found = [finding._asdict() for finding in findings(verification(work_dir, metrics))]
    try:
        write_verification(work_dir, record, found, metrics)
    except OSError as error:  # an archive may be read-only: what was found is said above
        print(f'not kept for the report: {error}')
    return all(finding['passed'] for finding in found)


def verification(work_dir: Path, metrics: bool = True) -> Iterator[Check]:
    """Names and functions of all checks of a sequence's folder.

    Args:
        work_dir (Path): The folder; it is not written to.
        metrics (bool): Also run the folder's config: plan it again, and measure the
            original and every unlearned detector on its validation set.

    Raises:
        ValueError: There is no record of a sequence that this package reads.
    """
    record = read_record(work_dir)
    yield 'all tasks are finished', lambda: _finished(record)
    for name, (folder, entry) in recorded_files(work_dir, record).items():
        yield name, lambda folder=folder, entry=entry: _checked(folder, entry)
    for task in record['tasks']:
        yield f'task {task["task"]}: buffers', lambda task=task: _buffers(work_dir, task)
    if (work_dir / FILE_NAME).exists():
        yield 'attacks', lambda: _attacks(work_dir, record)
    if metrics and record['tasks'] and _is_as_recorded(work_dir, record):
        cfg = load_config(work_dir / CONFIG)
        plan = functools.lru_cache(lambda: make_plan(cfg))
        yield 'request, method, buffers and settings of the config', (
            lambda: _request(cfg, work_dir, plan()))
        yield 'original: metrics', lambda: _original_metrics(cfg, record, plan())
        for task in record['tasks']:
            weights = work_dir / task['merged']['file']
            if weights.is_file():  # said above if not
                yield f'task {task["task"]}: metrics', (
                    lambda weights=weights, task=task:
                    _metrics(cfg, weights, task, record['original'], plan()))


def originals(record: dict) -> dict[str, tuple[Path, dict]]:
    """The part of :func:`recorded_files` that was there before the sequence.

    That is the weights before any erasure, and those at its start where they are others.
    """
    entries = {'original weights': weights_before(record)}
    if record.get('original_weights'):
        entries['weights at the start'] = record['weights']
    return {name: (Path(), dict(entry, file=str(local_path(entry['file']))))
            for name, entry in entries.items()}


def recorded_files(work_dir: Path, record: dict) -> dict[str, tuple[Path, dict]]:
    """The files whose hash a record holds: by name, what :func:`check_file` takes."""
    files = originals(record)
    files['config'] = work_dir, record['config']
    if 'labels' in record:
        files['labels of the detector'] = work_dir, record['labels']
    for task in record['tasks']:
        for kind in ARTEFACTS:
            if kind in task:
                files[f'task {task["task"]}: {kind}'] = work_dir, task[kind]
    return files


def _finished(record: dict) -> str:
    done, asked = len(record['tasks']), len(record['request'])
    if done < asked:
        raise ValueError(f'{done} of {asked}: continue with --resume')
    return f'{done} of {asked}'


def _checked(folder: Path, entry: dict) -> str:
    _be_there(folder / entry['file'])
    return f'checked, sha256 {check_file(folder, entry)}'


def _be_there(path: Path) -> None:
    if not path.is_file():
        raise ValueError(f'not checked: {path} is not there')


def _is_as_recorded(work_dir: Path, record: dict) -> bool:
    try:
        return bool(check_file(work_dir, record['config']))
    except ValueError:  # which its own check says
        return False


def _buffers(work_dir: Path, task: dict) -> str:
    path = work_dir / f'task_{task["task"]}' / BUFFERS
    _be_there(path)
    if read_json(path) != task['buffers']:
        raise ValueError(f'{path} lists other images than the record')
    return 'checked, ' + ', '.join(f'{len(ids)} {branch} images'
                                   for branch, ids in task['buffers'].items())


def _attacks(work_dir: Path, record: dict) -> str:
    attacks = read_attacks(work_dir)
    check_attacks(work_dir, attacks, record)
    rows = attack_rows(attacks['attacks'])
    *some, last = sorted({row['task'] for row in rows}) or [None]
    if last is None:
        return 'none was finished'
    tasks = f'tasks {", ".join(map(str, some))} and {last}' if some else f'task {last}'
    return f'{plural(len(rows), "attack")} on {tasks}'


def _request(cfg: Config, work_dir: Path, plan: list[TaskPlan]) -> str:
    expected = new_record(cfg, plan, first_original(cfg)[0])
    known = read_record(work_dir)['settings']
    expected['settings']['processes'] = known['processes']  # one is enough to look at it
    load_record(work_dir, expected)
    return 'as recorded'


def _original_metrics(cfg: Config, record: dict, plan: list[TaskPlan]) -> str:
    original = record['original']
    results = _measured(cfg, weights_before(record)['file'], splits_of(plan))
    _compare(original, dict(
        AP=null(results['coco/AP']), per_class=class_precisions(results, original['per_class']),
        splits=[split_metrics(results, f'_{task.number}') for task in plan]))
    return f'AP {percent(original["AP"])}'


def _metrics(cfg: Config, weights: Path, task: dict, original: dict, plan: list[TaskPlan]) -> str:
    number = task['task']
    results = _measured(cfg, str(weights), plan[number - 1].split.measured())
    before = original['splits'][number - 1]
    metrics = with_h(split_metrics(results), before)
    _compare({key: task[key] for key in ('original', 'metrics', 'per_class')}, dict(
        original=before, metrics=metrics,
        per_class=class_precisions(results, task['per_class'])))
    return ', '.join(f'{name} {percent(value)}' for name, value in metrics.items()
                     if name != 'reference' and value is not None)


def _measured(cfg: Config, weights: str, splits: dict[str, Sequence[str]]) -> dict:
    """The results of a detector on the validation set, as a sequence measures them."""
    cfg = Config({key: value for key, value in cfg.items() if key != 'sequence'})
    cfg.val_evaluator = split_evaluator(cfg.val_evaluator, splits)
    cfg.test_dataloader, cfg.test_evaluator = cfg.val_dataloader, cfg.val_evaluator
    with tempfile.TemporaryDirectory() as logs:
        cfg.work_dir = logs
        cfg.visualizer = dict(type='DetLocalVisualizer', name=logs)  # writes nowhere
        return evaluate(cfg, weights)


def _compare(recorded: dict, measured: dict) -> None:
    recorded, measured = flat(recorded), flat(measured)
    wrong = [f'{name} is {measured.get(name)}, recorded {recorded.get(name)}'
             for name in {**recorded, **measured}
             if not _close(measured.get(name), recorded.get(name),
                           _CLASS_TOLERANCE if 'per_class.' in name else _TOLERANCE)]
    if wrong:
        raise ValueError('; '.join(wrong))


def _close(a, b, tolerance: float) -> bool:
    return a is b is None or None not in (a, b) and abs(a - b) <= tolerance
