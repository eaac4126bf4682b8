"""A request for a detector whose config says nothing of erasing."""

import copy
from typing import Any, Dict, Optional, Sequence

from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope

from gslora_det.checks.config import method_options, sequence_settings
from gslora_det.files import BROUGHT
from gslora_det.options import unknown
from gslora_det.quiet import quiet
from gslora_det.readers import DenseReader, reader_of
from gslora_det.registry import METHODS

_ORDERED = ('order', 'num_tasks', 'classes_per_task')  # another way to name classes


def set_request(cfg: Config, checkpoint: Optional[str] = None,
                classes: Optional[Sequence] = None) -> None:
    """Puts into a config which detector shall forget what; the rest is the recommended recipe.

    Args:
        cfg (Config): A detector's config, completed in place. What it has of a ``sequence`` and
            a ``method`` stays.
        checkpoint (str, optional): The detector's weights; by default the config's ``load_from``.
        classes (list, optional): Names or category ids for one request, or a list of such lists
            for one after another; by default what the config's ``sequence`` says.

    Raises:
        ValueError: Nothing says what to erase, or no reader fits the detector.
    """
    if checkpoint:
        cfg.load_from = str(checkpoint)
    if 'sequence' not in cfg:
        if not classes:
            raise ValueError(f'{cfg.filename} has no sequence, which would say what to erase: '
                             'name classes')
        _add_recipe(cfg)
    if classes:
        one = not all(isinstance(each, (list, tuple)) for each in classes)
        cfg.sequence.tasks = [list(classes)] if one else [list(each) for each in classes]
        for key in _ORDERED:
            cfg.sequence.pop(key, None)
        cfg.pop('oracles', None)  # they know other classes


def _add_recipe(cfg: Config) -> None:
    """Adds the recipe of the detector's family, in place of what its training was."""
    init_default_scope(cfg.get('default_scope', 'mmdet'))
    with quiet():
        reader = reader_of(MODELS.build(copy.deepcopy(cfg.model)))
    kind = ('dense' if isinstance(reader, DenseReader) else
            'softmax' if reader.softmax else 'any')
    recipe = Config.fromfile(BROUGHT / f'configs/_base_/methods/gs-lora_{kind}.py')
    cfg.custom_hooks = []  # of the detector's own training, such as a mean of its weights
    for key, value in recipe.items():
        cfg[key] = value


def settings_by_name(cfg: Config, settings: Dict[str, Any]) -> Dict[str, Any]:
    """Settings of a sequence, or else of its method, by their dotted names in a config.

    Args:
        cfg (Config): A config with a ``sequence`` and a ``method``.
        settings (dict): Values by name, such as ``iters``; dotted names stay as they are.

    Raises:
        ValueError: Neither has a setting of that name.
    """
    method = METHODS.module_dict.get(cfg.method.get('type'))
    parts = dict(sequence=sequence_settings(), method=method and method_options(method) or ())
    return {name if '.' in name else f'{_owner(name, parts)}.{name}': value
            for name, value in settings.items()}


def _owner(name: str, parts: Dict[str, Sequence[str]]) -> str:
    for part, names in parts.items():
        if name in names:
            return part
    raise ValueError(unknown(name, {each for names in parts.values() for each in names},
                             'neither sequence nor method has a setting'))
