"""Checks of an installation and of a config, a PASS or FAIL line each."""

import copy
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from mmdet.registry import DATASETS, MODELS
from mmengine.config import Config
from mmengine.hub import get_config

from gslora_det.checks.annotations import plain_dataset
from gslora_det.checks.settings import from_detector
from gslora_det.compat import mmcv_ops
from gslora_det.compat.operators import how_to_compile
from gslora_det.engine.provenance import device_name, package_versions
from gslora_det.engine.sequence import UnlearningSequence
from gslora_det.evaluation.coco_backends import choose_backend, describe_backend
from gslora_det.quiet import quiet
from gslora_det.weights import exists, load_weights, read_weights

Check = tuple[str, Callable[[], str]]


def checks(cfg: Config | None = None) -> Iterator[Check]:
    """Names and functions of all checks; a function says what it found, or raises.

    Args:
        cfg (Config, optional): Adds the checks of what it trains.
    """
    yield 'versions', _versions
    yield 'mmcv operators', _operators
    yield 'COCO evaluation', _evaluation
    yield "MMDetection's configs", _mmdet_configs
    yield 'device', device_name
    if cfg is not None:
        if 'sequence' in cfg or cfg.get('load_from'):
            yield 'checkpoint', lambda: _checkpoint(cfg)
        if cfg.get('load_from') and not exists(cfg.load_from):
            return  # perhaps the wrong folder: Glyph80 would be drawn in it
        yield 'data set', lambda: _data_set(cfg)
        if 'sequence' in cfg:
            yield 'class names, buffers and method', lambda: _sequence(cfg)


class Finding(NamedTuple):
    """What a check found, or what it says is wrong."""
    name: str
    passed: bool
    found: str


def diagnose(checks: Iterable[Check]) -> bool:
    """Prints a line for every check; True if all passed."""
    return all([finding.passed for finding in findings(checks)])


def findings(checks: Iterable[Check]) -> Iterator[Finding]:
    """Runs the checks one after another and prints a line for each."""
    for name, check in checks:
        if sys.stdout.isatty():
            print(f'      {name} ', end='\r', flush=True)  # what is worked on
        try:
            with quiet():
                finding = Finding(name, True, check())
        except Exception as error:  # whatever is wrong is the finding
            finding = Finding(name, False, str(error))
        print(f'{"PASS" if finding.passed else "FAIL"}  {name}: {finding.found}', flush=True)
        yield finding


def _versions() -> str:
    return ', '.join(f'{name} {version}' for name, version in package_versions().items())


def _operators() -> str:
    if mmcv_ops.compiled():
        return 'compiled'
    return ('not compiled (mmcv._ext is missing); stand-ins in PyTorch serve deformable '
            'attention, NMS and RoIAlign. For others, or to be faster on a GPU: '
            + how_to_compile())


def _evaluation() -> str:
    faster = choose_backend(None, None, use_mp_eval=False)
    return describe_backend(faster) + (
        '' if faster else '; to match boxes in C++: pip install -U faster-coco-eval')


def _mmdet_configs() -> str:
    """OpenMMLab's MMEngine finds installed packages by a module of older setuptools."""
    try:
        get_config('mmdet::_base_/default_runtime.py')
        return 'mmdet::… is found'
    except ModuleNotFoundError as error:
        raise ValueError(f'{error}, by which this MMEngine finds mmdet::…: pip install '
                         '"setuptools<81"') from error


def _data_set(cfg: Config) -> str:
    if not cfg.get('train_dataloader'):
        raise ValueError('train_dataloader is missing')
    counts = []
    for loader in ('train_dataloader', 'val_dataloader'):
        if not cfg.get(loader):  # a plain run may do without a validation
            continue
        config = cfg[loader].dataset
        if loader == 'train_dataloader' and from_detector(cfg.get('sequence')):
            config = dict(plain_dataset(cfg[loader], loader), filter_cfg=None)  # none is labelled
        try:
            dataset = DATASETS.build(config)
        except FileNotFoundError as error:
            raise ValueError(f'{error.filename or error} is missing. '
                             + cfg.get('missing_data_hint', 'Set data_root.')) from None
        counts.append(f'{loader[:-11]} {len(dataset)} images')
    return ', '.join(counts)


def _checkpoint(cfg: Config) -> str:
    if not cfg.get('load_from'):
        raise ValueError('load_from is not set: name the trained detector to start from')
    if 'sequence' not in cfg:  # a plain run loads what fits
        return f'{cfg.load_from} holds {len(read_weights(cfg.load_from))} tensors'
    load_weights(MODELS.build(copy.deepcopy(cfg.model)), cfg.load_from)
    return f'{cfg.load_from} fits {cfg.model.type}'


def _sequence(cfg: Config) -> str:
    plan = UnlearningSequence(cfg, resume=True).plan  # and the detector of its first task
    erased = sum(len(task.split.forgotten) for task in plan)
    return (f'{len(plan)} tasks erase {erased} of '
            f'{erased + len(plan[-1].split.retained)} classes')
