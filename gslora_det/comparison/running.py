"""Running the cells of a comparison, each in a process of its own."""

import contextlib
import math
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TextIO

from mmengine.config import Config
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from gslora_det.comparison.cells import Cell, Comparison
from gslora_det.comparison.settings import settings_of
from gslora_det.engine.attack_record import read_attacks
from gslora_det.engine.plan import REQUEST
from gslora_det.engine.record import FILE_NAME
from gslora_det.engine.task_config import PREDICTIONS, RunConfig
from gslora_det.files import folder_lock, read_json, write_file, write_json
from gslora_det.weights import check_exists

_OF_AN_ATTACK = ('task', 'attack', 'setting', 'detector', 'measures', 'curve', 'seconds')
_SETTINGS = 'settings.json'
VALIDATION_STEPS = 60  # what an evaluation costs, in training steps; for the time left


def run_cells(comparison: Comparison, cells: Sequence[Cell],
              keep_weights: bool = False) -> list[Cell]:
    """Runs the unfinished cells, each in a process of its own.

    Started twice, the second one takes the cells that the first does not work on.

    Args:
        comparison (Comparison): What they belong to.
        cells (list[Cell]): The cells; what is finished is not run again.
        keep_weights (bool): Keep the unlearned detectors.

    Returns:
        list[Cell]: Those that failed.
    """
    failed = []
    for cell in {cell.setting: cell for cell in cells}.values():
        check_exists(comparison.config(cell).load_from)
    (comparison.work_dir / 'cells').mkdir(parents=True, exist_ok=True)
    open_cells = comparison.open(cells)
    configs = {cell.name: comparison.config(cell) for cell in open_cells}
    with Progress(TextColumn('{task.description}', markup=False), BarColumn(None),
                  MofNCompleteColumn(), TextColumn('left'),
                  TimeRemainingColumn(), speed_estimate_period=math.inf) as progress:
        bar = progress.add_task('', total=sum(map(_steps, configs.values())))
        progress.advance(bar, 0)  # speed is measured from here
        for cell in open_cells:
            progress.update(bar, description=cell.name)
            folder = comparison.work_dir / 'runs' / cell.name
            folder.mkdir(parents=True, exist_ok=True)
            with _free(folder) as free:
                run = free and comparison.open([cell])  # else another process has it
                if run and not _run(comparison, cell, configs[cell.name], folder):
                    failed.append(cell)
                    progress.console.print(f'{cell.name} failed: see {folder}/log.txt',
                                           soft_wrap=True, markup=False)
                elif run and not keep_weights:
                    for task in (folder / 'run').glob('task_*'):
                        shutil.rmtree(task)
            progress.advance(bar, _steps(configs[cell.name]))
            if run and not progress.console.is_terminal:  # where no bar is drawn
                left = timedelta(seconds=progress.tasks[bar].time_remaining or 0)
                progress.console.print(f'{cell.name}: ended, left {left}', soft_wrap=True,
                                       markup=False)
    return failed


def _run(comparison: Comparison, cell: Cell, cfg: Config, folder: Path) -> bool:
    asked, script, run = settings_of(cfg), folder / 'cell.py', folder / 'run'
    if _settings(folder) != asked or not (run / 'task_1').exists():
        shutil.rmtree(run, ignore_errors=True)  # of another config, or without weights
    cfg.sequence.original = _known_original(comparison, cell, asked)
    write_json(folder / _SETTINGS, asked)
    write_file(script, RunConfig(cfg.to_dict()).pretty_text)
    attacks = comparison.attacks(cell)
    with open(folder / 'log.txt', 'a') as log:
        if _call(log, 'train', script, '--work-dir', run, '--resume') or attacks and _call(
                log, 'attack', run, '--no-controls', '--attacks', *attacks):
            return False
    record = read_json(run / FILE_NAME)
    for task in record['tasks']:
        for key in ('buffers', 'per_class', 'merged', 'adapter'):
            task.pop(key, None)
    found = (read_attacks(run) or {}).get('attacks', [])
    write_json(comparison.result_file(cell), dict(
        setting=cell.setting, method=cell.method, seed=cell.seed, choice=cell.choice,
        settings=asked, original=record['original']['AP'],
        tasks=record['tasks'], attacks=[{key: each[key] for key in _OF_AN_ATTACK}
                                        for each in found]))
    return True


def _call(log: TextIO, *command) -> int:
    return subprocess.call([sys.executable, '-m', 'gslora_det_cli', *map(str, command)],
                           stdout=log, stderr=subprocess.STDOUT)


def _settings(folder: Path) -> dict | None:
    """What the run in the folder of a cell depends on."""
    return read_json(folder / _SETTINGS) if (folder / _SETTINGS).exists() else None


def _known_original(comparison: Comparison, cell: Cell, asked: dict) -> str | None:
    """A record in which the same original model is measured on the same classes."""
    def request(found: dict) -> list:
        return [found['others'], found['weights'],
                *(found['sequence'].get(key) for key in REQUEST)]

    setting = cell.setting.replace(' ', '_')
    for folder in sorted((comparison.work_dir / 'runs').glob(f'{setting}__*')):
        path, found = folder / 'run' / FILE_NAME, _settings(folder)
        measured = path.with_name('original') / PREDICTIONS  # one that measured it itself
        if (found and request(found) == request(asked) and path.exists() and measured.exists()
                and read_json(path)['original'] is not None):
            return str(path)
    return None


@contextlib.contextmanager
def _free(folder: Path) -> Iterator[bool]:
    """Whether no other process works in the folder; if so, none can within the block."""
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(folder_lock(folder / '.lock', blocking=False))
        except ValueError:
            yield False
        else:
            yield True


def _steps(cfg: Config) -> int:
    settings = cfg.sequence
    return settings.get('num_tasks', 1) * (settings.get('iters', 0) + VALIDATION_STEPS)
