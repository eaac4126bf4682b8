"""Methods x settings x seeds: the cells of a comparison, and running them."""

import contextlib
import functools
import hashlib
import json
import math
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Sequence

from mmengine.config import Config
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from gslora_det.engine.record import FILE_NAME
from gslora_det.engine.task_config import RunConfig
from gslora_det.files import atomic_write, folder_lock, read_json, sha256, write_json
from gslora_det.registry import METHODS
from gslora_det.weights import check_exists, fetch

# What the result of a cell depends on, besides data, code and the weights of `load_from`:
# kept as it is, or as a hash.
SETTINGS = ('sequence', 'method', 'optim_wrapper', 'param_scheduler', 'randomness')
HASHED = ('model', 'train_dataloader', 'val_dataloader', 'val_evaluator', 'auto_scale_lr',
          'custom_hooks')
VALIDATION_STEPS = 60  # what an evaluation costs, in training steps; for the time left
TUNING = 'tuning'
PARTS = ('settings', 'methods', 'controls', 'seeds', TUNING, 'grids')  # of a comparison's config


@dataclass(frozen=True)
class Cell:
    """One run of a comparison.

    Attributes:
        setting (str): Name of the setting.
        method (str): Name of the method's entry.
        seed (int): Seeds the training and draws the buffers.
        choice (dict): Values from the method's grid, when tuning.
    """
    setting: str
    method: str
    seed: int
    choice: Dict[str, Any] = field(default_factory=dict, hash=False)

    @property
    def words(self) -> List[str]:
        """The choice to read: ``['lr 0.001', 'weight 10']``."""
        return [f'{key.rsplit(".", 1)[-1]} '
                + (f'{value:g}' if isinstance(value, (int, float)) else str(value))
                for key, value in self.choice.items()]

    @property
    def name(self) -> str:
        """A name for files."""
        choice = ''.join(f'__{text.replace(" ", "-")}' for text in self.words)
        return f'{self.setting}__{self.method}__{self.seed}{choice}'.replace(' ', '_')


def _pick(kind: str, known: Sequence, chosen: Optional[Sequence]) -> List:
    unknown = [name for name in chosen or () if name not in known]
    if unknown:
        raise ValueError(f"there is no {kind} '{unknown[0]}'; there are "
                         + ', '.join(map(str, known)))
    return [name for name in known if not chosen or name in chosen]


class Comparison:
    """A config that names settings, methods and seeds.

    Args:
        cfg (Config): With ``settings`` (name -> ``config``, relative to the file, and what
            is changed in it), ``methods`` (name -> what is changed in every setting),
            ``seeds`` (setting -> number of seeds), ``controls`` (methods that win by
            construction and are not ranked) and, for tuning, ``tuning`` (a setting)
            and ``grids`` (method -> choices, each a dict of dotted keys).
        work_dir (str): Where runs and results go.

    Raises:
        ValueError: A part is missing.
    """

    def __init__(self, cfg: Config, work_dir: str) -> None:
        missing = [key for key in ('settings', 'methods', 'seeds') if not cfg.get(key)]
        if missing:
            raise ValueError(f'{cfg.filename}: {missing[0]} is missing: a comparison names '
                             'settings, methods and seeds')
        for name, setting in cfg.settings.items():
            if 'config' not in setting or name not in cfg.seeds:
                raise ValueError(f"{cfg.filename}: setting '{name}' needs a config and, in "
                                 'seeds, a number')
        self.cfg = cfg
        self.work_dir = Path(work_dir)

    def cells(self, methods: Optional[Sequence[str]] = None,
              settings: Optional[Sequence[str]] = None,
              seeds: Optional[Sequence[int]] = None) -> List[Cell]:
        """The cells of the table, seed by seed so that it soon has all rows."""
        methods = _pick('method', list(self.cfg.methods), methods)
        settings = _pick('setting', list(self.cfg.settings), settings)
        most = range(max(self.cfg.seeds[setting] for setting in settings))
        return [Cell(setting, method, seed) for seed in _pick('seed', most, seeds)
                for setting in settings if seed < self.cfg.seeds[setting]
                for method in methods]

    def tuning_cells(self, methods: Optional[Sequence[str]] = None) -> List[Cell]:
        """The cells of the methods' grids.

        Raises:
            ValueError: There are none.
        """
        if not self.cfg.get('grids') or 'config' not in self.cfg.get('tuning', ()):
            raise ValueError(f'{self.cfg.filename}: tuning and grids are missing: set '
                             'tuning = dict(config=…) and grids = dict(…)')
        return [Cell(TUNING, method, 0, dict(choice))
                for method in _pick('method with a grid', list(self.cfg.grids), methods)
                for choice in self.cfg.grids[method]]

    def config(self, cell: Cell) -> Config:
        """The config of a cell: the setting's, changed by setting, method and seed.

        Raises:
            ValueError: The method is not registered, or steps are not what the budget is
                counted in.
        """
        setting = self.cfg.tuning if cell.setting == TUNING else self.cfg.settings[cell.setting]
        setting = setting.to_dict()
        cfg = Config.fromfile(Path(self.cfg.filename).parent / setting.pop('config'))
        cfg.merge_from_dict(setting)
        cfg.merge_from_dict(self.cfg.methods[cell.method].to_dict())
        cfg.merge_from_dict(cell.choice)
        imports = [name for part in (cfg, self.cfg)
                   for name in part.get('custom_imports', {}).get('imports', ())]
        cfg.custom_imports = dict(imports=imports, allow_failed_imports=False)
        cfg.sequence.update(pictures=0, buffer_seed=123 + cell.seed)
        cfg.randomness.seed = cell.seed
        # The same number of images for all: who looks at one branch takes more steps.
        sizes = {name: cfg.sequence[name].batch_size for name in ('forget', 'retain')}
        kind = METHODS.get(cfg.method.type)
        if kind is None:
            raise ValueError(f"{cell.method}: no method '{cfg.method.type}' is registered: "
                             'import its module by custom_imports')
        if not cfg.sequence.get('iters'):
            raise ValueError(f'{cfg.filename}: a comparison needs sequence.iters')
        used = sum(sizes[name] for name in kind.branches)
        cfg.sequence.iters = round(cfg.sequence.iters * sum(sizes.values()) / used)
        return cfg

    def result_file(self, cell: Cell) -> Path:
        """Where the result of a cell is kept."""
        return self.work_dir / 'cells' / f'{cell.name}.json'

    def results(self, cells: Sequence[Cell]) -> Dict[Cell, dict]:
        """The finished cells and their results; one with other settings is not finished."""
        found = {cell: read_json(self.result_file(cell)) for cell in cells
                 if self.result_file(cell).exists()}
        return {cell: result for cell, result in found.items()
                if result.get('settings') == settings_of(self.config(cell))}

    def run(self, cells: Sequence[Cell], train: Path, keep_weights: bool = False
            ) -> List[Cell]:
        """Runs the unfinished cells, each in a process of its own.

        Started twice, the second one takes the cells that the first does not work on.

        Args:
            cells (list[Cell]): The cells; what is finished is not run again.
            train (Path): ``tools/train.py``.
            keep_weights (bool): Keep the unlearned detectors.

        Returns:
            list[Cell]: Those that failed.
        """
        failed = []
        for cell in {cell.setting: cell for cell in cells}.values():
            check_exists(self.config(cell).load_from)
        (self.work_dir / 'cells').mkdir(parents=True, exist_ok=True)
        finished = self.results(cells)
        open_cells = [cell for cell in cells if cell not in finished]
        configs = {cell.name: self.config(cell) for cell in open_cells}
        with Progress(TextColumn('{task.description}', markup=False), BarColumn(None),
                      MofNCompleteColumn(), TextColumn('left'),
                      TimeRemainingColumn(), speed_estimate_period=math.inf) as progress:
            bar = progress.add_task('', total=sum(map(_steps, configs.values())))
            progress.advance(bar, 0)  # speed is measured from here
            for cell in open_cells:
                progress.update(bar, description=cell.name)
                folder = self.work_dir / 'runs' / cell.name
                folder.mkdir(parents=True, exist_ok=True)
                with _free(folder) as free:
                    run = free and not self.results([cell])  # else another process has it
                    if run and not self._run(cell, configs[cell.name], folder, train):
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

    def _run(self, cell: Cell, cfg: Config, folder: Path, train: Path) -> bool:
        asked, script, run = settings_of(cfg), folder / 'cell.py', folder / 'run'
        if not (script.exists() and settings_of(Config.fromfile(script)) == asked
                and (run / 'task_1').exists()
                and read_json(run / FILE_NAME)['weights']['sha256'] == asked['weights']):
            shutil.rmtree(run, ignore_errors=True)  # of another config, or without weights
        cfg.sequence.original = self._known_original(cell, asked)
        with atomic_write(script) as draft:
            draft.write_text(RunConfig(cfg.to_dict()).pretty_text, 'utf-8')
        with open(folder / 'log.txt', 'a') as log:
            code = subprocess.call(
                [sys.executable, str(train), str(script), '--work-dir',
                 str(run), '--resume'], stdout=log, stderr=subprocess.STDOUT)
        if code:
            return False
        record = read_json(run / FILE_NAME)
        for task in record['tasks']:
            for key in ('buffers', 'per_class', 'merged', 'adapter', 'groups'):
                task.pop(key, None)
        write_json(self.result_file(cell), dict(
            setting=cell.setting, method=cell.method, seed=cell.seed, choice=cell.choice,
            settings=asked, original=record['original']['AP'],
            tasks=record['tasks']))
        return True

    def _known_original(self, cell: Cell, asked: dict) -> Optional[str]:
        """A record in which the same original model is measured on the same classes."""
        def request(found: dict) -> list:
            return [found['others']] + [found['sequence'].get(key) for key in (
                'tasks', 'order', 'num_tasks', 'classes_per_task', 'missing')]

        setting = cell.setting.replace(' ', '_')
        for script in sorted((self.work_dir / 'runs').glob(f'{setting}__*/cell.py')):
            path = script.with_name('run') / FILE_NAME
            record = read_json(path) if path.exists() else {}
            if (record.get('original') is not None
                    and record['weights']['sha256'] == asked['weights']
                    and request(settings_of(Config.fromfile(script))) == request(asked)):
                return str(path)
        return None


@functools.lru_cache
def _hash(path: Path, modified: int) -> str:
    """SHA-256 of a file as it was then: all cells of a setting start from one."""
    return sha256(path)


def settings_of(cfg: Config) -> dict:
    """What the result of a run with this config depends on, as JSON has it."""
    found = {key: cfg[key] for key in SETTINGS if key in cfg}
    found = json.loads(json.dumps(found))
    found['sequence'].pop('original', None)
    others = json.dumps({key: cfg.get(key) for key in HASHED}, sort_keys=True, default=str)
    weights = fetch(cfg.load_from)
    found['weights'] = _hash(weights, weights.stat().st_mtime_ns)
    found['others'] = hashlib.sha256(others.encode()).hexdigest()
    return found


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
