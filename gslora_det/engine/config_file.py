"""A config from its file, or one clear line about what is wrong with it."""

from pathlib import Path
from typing import Any, Dict, Optional

from mmengine.config import Config

from gslora_det.files import expand_home
from gslora_det.options import in_one_line


def read_config(file: Path, cfg_options: Optional[Dict[str, Any]] = None) -> Config:
    """Reads a config; a leading ``~/`` in its paths is expanded.

    Args:
        file (Path): Is run as Python.
        cfg_options (dict, optional): Overrides by dotted names, as ``--cfg-options`` gives them.

    Raises:
        ValueError: The file does not exist or is no config, or an override does not fit.
    """
    if not Path(file).is_file():
        raise ValueError(f'config {file} does not exist')
    try:
        cfg = Config.fromfile(file)
    except Exception as error:  # a config is a program: it may raise anything
        raise ValueError(f'config {file} cannot be read: {in_one_line(error)}') from error
    try:
        cfg.merge_from_dict(cfg_options or {})
    except Exception as error:  # MMEngine's, of many kinds
        raise ValueError(f'--cfg-options do not fit {file}: {in_one_line(error)}') from error
    expand_home(cfg._cfg_dict)
    return cfg
