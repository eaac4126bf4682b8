"""Methods x settings x seeds: the cells of a comparison."""

import glob
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmengine.config import Config

from gslora_det.comparison.settings import settings_of
from gslora_det.files import read_json
from gslora_det.registry import METHODS

TUNING = 'tuning'
# Of a comparison's config.
PARTS = ('settings', 'methods', 'unranked', 'ours', 'ablations', 'seeds', 'attacks', TUNING,
         'grids')
_OF_A_METHOD = ('budget', 'only')  # beside what it changes in a setting's config


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
    choice: dict[str, Any] = field(default_factory=dict, hash=False)

    @property
    def words(self) -> list[str]:
        """The choice to read: ``['lr 0.001', 'weight 10']``."""
        return [f'{key.rsplit(".", 1)[-1]} '
                + (f'{value:g}' if isinstance(value, (int, float)) else str(value or 'none'))
                for key, value in self.choice.items()]

    @property
    def name(self) -> str:
        """A name for files."""
        choice = ''.join(f'__{text.replace(" ", "-")}' for text in self.words)
        return f'{self.setting}__{self.method}__{self.seed}{choice}'.replace(' ', '_')


def _pick(kind: str, known: Sequence, chosen: Sequence | None) -> list:
    unknown = [name for name in chosen or () if name not in known]
    if unknown:
        raise ValueError(f"there is no {kind} '{unknown[0]}'; there are "
                         + ', '.join(map(str, known)))
    return [name for name in known if not chosen or name in chosen]


class Comparison:
    """A config that names settings, methods and seeds.

    Args:
        cfg (Config): With ``settings`` (name -> ``config``, relative to the file, what is changed
            in it, which has the last word, and, by ``methods``, what is changed for single ones),
            ``methods`` (name -> what is changed in every setting, and perhaps ``budget``, a
            factor of the steps, and ``only``, the settings that it runs in), ``seeds`` (setting
            -> number of seeds), ``attacks`` (setting -> names of attacks on the cells of the
            first seed), ``unranked`` (methods whose AP_f is zero by construction),
            ``ablations`` (methods with a table of their own), ``ours`` (methods whose curves are
            not grey) and, for tuning, ``tuning`` (a setting) and ``grids`` (method -> choices,
            each a dict of dotted keys).
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

    def cells(self, methods: Sequence[str] | None = None,
              settings: Sequence[str] | None = None,
              seeds: Sequence[int] | None = None) -> list[Cell]:
        """The cells of the table, seed by seed so that it soon has all rows."""
        methods = _pick('method', list(self.cfg.methods), methods)
        settings = _pick('setting', list(self.cfg.settings), settings)
        most = range(max(self.cfg.seeds[setting] for setting in settings))
        return [Cell(setting, method, seed) for seed in _pick('seed', most, seeds)
                for setting in settings if seed < self.cfg.seeds[setting]
                for method in methods
                if setting in self.cfg.methods[method].get('only', self.cfg.settings)]

    def attacks(self, cell: Cell) -> list[str]:
        """The attacks that are made on a cell."""
        return [] if cell.seed else list(self.cfg.get('attacks', {}).get(cell.setting, ()))

    def tuning_cells(self, methods: Sequence[str] | None = None) -> list[Cell]:
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
        """The config of a cell: the setting's, changed by method, setting, choice and seed.

        Raises:
            ValueError: The method is not registered, or steps are not what the budget is
                counted in.
        """
        setting = self.cfg.tuning if cell.setting == TUNING else self.cfg.settings[cell.setting]
        setting, method = setting.to_dict(), self.cfg.methods[cell.method].to_dict()
        budget, _ = (method.pop(key, None) for key in _OF_A_METHOD)
        own = setting.pop('methods', {}).get(cell.method, {})
        cfg = Config.fromfile(Path(self.cfg.filename).parent / setting.pop('config'))
        for change in (method, setting, own, cell.choice):
            cfg.merge_from_dict(change)
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
        cfg.sequence.iters = round(
            (budget or 1) * cfg.sequence.iters * sum(sizes.values()) / used)
        return cfg

    def result_file(self, cell: Cell) -> Path:
        """Where the result of a cell is kept."""
        return self.work_dir / 'cells' / f'{cell.name}.json'

    def results(self, cells: Sequence[Cell]) -> dict[Cell, dict]:
        """The finished cells and their results; one with other settings is not finished.

        Two settings that are the same for a method share its cells.
        """
        found = {cell: self._result(cell) for cell in cells}
        return {cell: result for cell, result in found.items() if result is not None}

    def _result(self, cell: Cell) -> dict | None:
        own = self.result_file(cell)
        others = own.parent.glob('*' + glob.escape(own.name[len(cell.setting):]))
        files = [path for path in (own, *sorted(others)) if path.exists()]
        asked = settings_of(self.config(cell)) if files else None
        return next((result for result in map(read_json, files)
                     if result.get('settings') == asked), None)

    def open(self, cells: Sequence[Cell]) -> list[Cell]:
        """The cells that are not finished, or whose attacks are not made."""
        made = {cell: {each['attack'] for each in result.get('attacks', ())}
                for cell, result in self.results(cells).items()}
        return [cell for cell in cells
                if cell not in made or not made[cell].issuperset(self.attacks(cell))]
