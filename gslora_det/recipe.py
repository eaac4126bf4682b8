"""A request for a detector whose config says nothing of erasing."""

import copy
from collections.abc import Sequence
from typing import Any

from mmdet.registry import MODELS
from mmengine.config import Config, ConfigDict
from mmengine.registry import init_default_scope

from gslora_det.checks.config import method_options, sequence_settings
from gslora_det.datasets.branch_dataset import BRANCHES
from gslora_det.files import BROUGHT
from gslora_det.options import in_one_line, unknown
from gslora_det.quiet import quiet
from gslora_det.readers import DenseReader, reader_of
from gslora_det.registry import METHODS

# Of a ``sequence`` and of its buffers: of each pair one is set.
_EITHER = (('iters', 'epochs'), ('fraction', 'shots'))
_ORDERED = ('order', 'num_tasks', 'classes_per_task')  # another way to name classes


def set_request(cfg: Config, checkpoint: str | None = None,
                classes: Sequence | None = None) -> None:
    """Puts into a config which detector shall forget what; where it is silent, :func:`complete`.

    Args:
        cfg (Config): A detector's config, completed in place.
        checkpoint (str, optional): The detector's weights; by default the config's ``load_from``.
        classes (list, optional): Names or category ids for one request, or a list of such lists
            for one after another; by default what the config's ``sequence`` says.

    Raises:
        ValueError: Nothing says what to erase, or no reader fits the detector.
    """
    if checkpoint:
        cfg.load_from = str(checkpoint)
    if classes:
        classes = [classes] if isinstance(classes, str) else classes
        asked = cfg.setdefault('sequence', ConfigDict())
        one = not all(isinstance(each, (list, tuple)) for each in classes)
        asked.tasks = [list(classes)] if one else [list(each) for each in classes]
        for key in _ORDERED:
            asked.pop(key, None)
        cfg.pop('oracles', None)  # they know other classes
    if 'sequence' not in cfg:
        raise ValueError(f'{cfg.filename} has no sequence, which would say what to erase: '
                         'name classes')
    complete(cfg)


def complete(cfg: Config) -> None:
    """Adds the recommended recipe to a config that has a ``sequence`` and no ``method``.

    That is method, optimiser and schedule, in place of those that trained the detector, and
    what its ``sequence`` leaves open.

    Raises:
        ValueError: No reader fits the detector.
    """
    asked = cfg.get('sequence')
    if not isinstance(asked, dict) or not cfg.get('model') or 'method' in cfg:
        return
    recipe = Config.fromfile(BROUGHT / f'configs/_base_/methods/{_recommended(cfg)}.py')
    asked = _given(asked)
    give_way(recipe.sequence, asked)
    for branch in BRANCHES:
        if isinstance(asked.get(branch), dict):
            asked[branch] = dict(recipe.sequence[branch], **_given(asked[branch]))
    recipe.sequence = dict(recipe.sequence, **asked)
    if cfg.get('custom_hooks'):
        print(f'custom_hooks of {cfg.filename} are left out, as of its own training: those of a '
              'config that has a method stay')
    cfg.custom_hooks = []
    for key, value in recipe.items():
        cfg[key] = value


def _given(settings: dict) -> dict:
    """Those that are set; None stands for one that is not."""
    return {key: value for key, value in settings.items() if value is not None}


def give_way(settings: Any, asked: Any) -> None:
    """Takes out of settings what others say in another way."""
    if not isinstance(settings, dict) or not isinstance(asked, dict):
        return
    for pair in _EITHER:
        for one, other in (pair, pair[::-1]):
            if asked.get(one) is not None and asked.get(other) is None:
                settings.pop(other, None)
    for branch in BRANCHES:
        give_way(settings.get(branch), asked.get(branch))


def _recommended(cfg: Config) -> str:
    """Which of the recommended recipes suits a config's detector."""
    init_default_scope(cfg.get('default_scope', 'mmdet'))
    try:
        with quiet():
            detector = MODELS.build(copy.deepcopy(cfg.model))
    except Exception as error:  # MMDet's, of many kinds
        raise ValueError(f'{cfg.filename}: model: {in_one_line(error)}') from error
    reader = reader_of(detector)
    if isinstance(reader, DenseReader):
        return 'gs-lora_dense'
    if reader.softmax:
        return 'gs-lora_softmax'
    return 'gs-lora_any' if reader.moving_places else 'linear-erasure_any'


def settings_by_name(cfg: Config, settings: dict[str, Any]) -> dict[str, Any]:
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


def _owner(name: str, parts: dict[str, Sequence[str]]) -> str:
    for part, names in parts.items():
        if name in names:
            return part
    raise ValueError(unknown(name, {each for names in parts.values() for each in names},
                             'neither sequence nor method has a setting'))
