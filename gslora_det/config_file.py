"""Configs as users name them: a file, or one that the package brings."""

import difflib
import inspect
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.config.utils import MODULE2PACKAGE
from mmengine.runner import Runner
from mmengine.utils import import_modules_from_strings

from gslora_det.files import BROUGHT, expand_home
from gslora_det.options import in_one_line
from gslora_det.recipe import complete, give_way

_PACKAGE = 'gslora_det'
_OWN = ('sequence', 'method', 'oracles', 'custom_imports', 'tta_model', 'tta_pipeline')
# MMEngine then finds ``gslora_det::…``, in ``_base_`` too, among what the package brings.
MODULE2PACKAGE.setdefault(_PACKAGE, _PACKAGE)


def read_config(config: str) -> Config:
    """Reads a config; one with a ``sequence`` and no ``method`` gets the recommended recipe.

    Args:
        config (str): A file, or as ``gslora_det::glyph80/ddetr_forget_80-5.py`` one that the
            package brings.

    Raises:
        ValueError: The file does not exist or is no config.
    """
    config = str(config)
    file = Path(config).expanduser()
    if config.startswith(f'{_PACKAGE}::'):
        file = BROUGHT / 'configs' / config.partition('::')[2]
    if not file.is_file():
        raise ValueError(f'config {config} does not exist')
    try:
        cfg = Config.fromfile(file)
    except Exception as error:  # a config is a program: it may raise anything
        raise ValueError(f'config {config} cannot be read: {in_one_line(error)}') from error
    _register_as_ever(cfg._cfg_dict)
    complete(cfg)
    return cfg


def _register_as_ever(settings: Any) -> None:
    """Unmarks what comes by ``gslora_det::``: it is registered in MMDet's scope, no other."""
    if isinstance(settings, dict):
        if settings.get('_scope_') == _PACKAGE:
            del settings['_scope_']
        settings = settings.values()
    if not isinstance(settings, str) and hasattr(settings, '__iter__'):
        for each in settings:
            _register_as_ever(each)


def override(cfg: Config, cfg_options: dict[str, Any] | None = None,
             work_dir: str | None = None, launcher: str = 'none') -> Config:
    """Completes a config in place as MMDet's tools do.

    An option also takes the place of what the config, or its recipe, says in another way:
    ``sequence.epochs`` that of ``sequence.iters``, and ``shots`` of a buffer that of
    ``fraction``.

    Args:
        cfg (Config): The config.
        cfg_options (dict, optional): Values by dotted names.
        work_dir (str, optional): By default the config's, or ``work_dirs/`` and its name.
        launcher (str): ``'none'``, or what starts several processes.

    Raises:
        ValueError: An option does not fit.
    """
    _check_names(cfg, cfg_options or {})
    try:
        asked = Config()
        asked.merge_from_dict(cfg_options or {})
        give_way(cfg.get('sequence'), asked.get('sequence'))
        cfg.merge_from_dict(cfg_options or {})
        if 'custom_imports' in asked:
            import_modules_from_strings(**cfg.custom_imports)
    except Exception as error:  # MMEngine's, of many kinds
        raise ValueError(f'--cfg-options do not fit {cfg.filename}: {in_one_line(error)}'
                         ) from error
    expand_home(cfg._cfg_dict)
    cfg.launcher = launcher
    if launcher != 'none' and not torch.cuda.is_available():
        cfg.model_wrapper_cfg = dict(  # MMEngine's default asks for a GPU
            type='MMDistributedDataParallel', device_ids=None, broadcast_buffers=False,
            find_unused_parameters=cfg.get('find_unused_parameters', False))
    if work_dir:
        cfg.work_dir = str(work_dir)
    elif not cfg.get('work_dir'):
        cfg.work_dir = str(Path('work_dirs') / Path(cfg.filename).stem)
    return cfg


def _check_names(cfg: Config, cfg_options: dict[str, Any]) -> None:
    """Refuses options that nothing reads: their first part is nearly a name that is read."""
    known = {*cfg, *inspect.signature(Runner.__init__).parameters, *_OWN}
    for option in cfg_options:
        name = option.split('.')[0]
        if name not in known and (near := difflib.get_close_matches(name, known, 1, 0.8)):
            raise ValueError(f'--cfg-options {option}: {cfg.filename} has no {name}: did you mean '
                             f'{near[0]}?')


def load_config(config: str, cfg_options: dict[str, Any] | None = None,
                work_dir: str | None = None, launcher: str = 'none') -> Config:
    """:func:`read_config`, then :func:`override`."""
    return override(read_config(config), cfg_options, work_dir, launcher)
