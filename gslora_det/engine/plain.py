"""Plain MMDet runs, as MMDet's own tools start them, with what these print."""

import copy
from pathlib import Path

from mmengine.config import Config
from mmengine.runner import Runner

from gslora_det.checks.annotations import Annotations
from gslora_det.checks.config import check_config
from gslora_det.class_names import resolve_classes
from gslora_det.class_split import ClassSplit
from gslora_det.engine.plan import class_splits
from gslora_det.engine.rehearsal import check_all_are_measured
from gslora_det.engine.unwrapped import unwrapped
from gslora_det.weights import (
    CheckpointError,
    check_classes,
    check_exists,
    last_checkpoint,
    load_weights,
    read_checkpoint,
    read_meta,
)


def train_plain(cfg: Config, resume: str | None = None) -> None:
    """Trains an MMDet config that has no ``sequence``.

    Args:
        cfg (Config): The config.
        resume (str, optional): A checkpoint, or ``'auto'`` for the latest one.

    Raises:
        CheckpointError: It cannot be read, or holds weights alone.
    """
    folder = Path(cfg.work_dir)
    out_dir = (cfg.get('default_hooks', {}).get('checkpoint') or {}).get('out_dir')
    if out_dir:  # checkpoints go to a folder in it that is named as the work dir
        folder = Path(out_dir) / folder.name
        folder.mkdir(parents=True, exist_ok=True)
    if resume == 'auto':
        resume = last_checkpoint(folder)
    cfg.resume = resume is not None
    if resume:
        absent = {'meta', 'message_hub', 'optimizer'} - set(read_checkpoint(resume))
        if absent:
            raise CheckpointError(f'{resume} is no checkpoint of a run to resume ('
                                  + ', '.join(sorted(absent)) + ' is missing): weights '
                                  'alone are given as load_from')
        cfg.load_from = resume
    Runner.from_cfg(cfg).train()


def settle_test_data(cfg: Config) -> None:
    """Makes the validation data the test data of a config that has none of its own.

    Raises:
        ValueError: It has neither.
    """
    for kind in ('test', 'val'):
        if cfg.get(f'{kind}_dataloader') and cfg.get(f'{kind}_evaluator'):
            cfg.test_dataloader = cfg[f'{kind}_dataloader']
            cfg.test_evaluator = cfg[f'{kind}_evaluator']
            return
    raise ValueError(f'{cfg.filename} has no data to measure on: set test_dataloader and '
                     'test_evaluator, or val_dataloader and val_evaluator')


def evaluate(cfg: Config, checkpoint: str, task: int | None = None,
             out: str | None = None) -> dict:
    """Measures a checkpoint, the original or a merged one, on the test data.

    Args:
        cfg (Config): An MMDet config; with a ``sequence``, AP is split by class.
        checkpoint (str): Weights of the plain detector, loaded strictly.
        task (int, optional): The config's task whose split is measured; by default what
            the checkpoint says it has forgotten, or else the first.
        out (str, optional): A .pkl file for the raw predictions.

    Returns:
        dict: The metric's results.
    """
    check_exists(checkpoint)  # before any data are drawn
    cfg = copy.deepcopy(cfg)
    settle_test_data(cfg)
    if task is not None and 'sequence' not in cfg:
        raise ValueError(f'--task is {task}: {cfg.filename} has no sequence and no tasks')
    if 'sequence' in cfg:
        cfg.test_evaluator = _split_evaluator(cfg, checkpoint, task)
    cfg.test_cfg = dict(type='TestLoop')
    if out:
        Path(out).parent.mkdir(parents=True, exist_ok=True)
        evaluators = cfg.test_evaluator
        cfg.test_evaluator = [*(evaluators if isinstance(evaluators, list)
                                else [evaluators]),
                              dict(type='DumpDetResults', out_file_path=out)]
    # Nothing of a training is needed, and half of a training is refused by MMEngine.
    for key in ('train_dataloader', 'train_cfg', 'optim_wrapper', 'param_scheduler',
                'val_dataloader', 'val_cfg', 'val_evaluator'):
        cfg.pop(key, None)
    cfg.load_from, cfg.resume = None, False
    runner = Runner.from_cfg(cfg)
    load_weights(unwrapped(runner.model), checkpoint)
    return runner.test()


def _split_evaluator(cfg: Config, checkpoint: str, task: int | None) -> dict:
    check_config(cfg)
    annotations = Annotations.of(cfg, 'test_dataloader')
    evaluator = annotations.evaluator(cfg.test_evaluator, 'test_evaluator')
    check_all_are_measured(Runner.build_dataloader(cfg.test_dataloader), len(annotations),
                           'test_dataloader')
    known = read_meta(checkpoint)
    check_classes(known, checkpoint, annotations.classes)
    if task is None and 'forgotten' in known:
        missing = cfg.sequence.get('missing') or ()
        split = ClassSplit.among(
            annotations.classes, known['forgotten'], known.get('old', ()),
            missing and resolve_classes(missing, annotations.classes,
                                        list(annotations.ids.values()), 'missing'))
    else:
        splits = class_splits(cfg, annotations)
        task = 1 if task is None else task
        if not 1 <= task <= len(splits):
            raise ValueError(f'--task is {task}: {cfg.filename} has tasks 1 to {len(splits)}')
        split = splits[task - 1]
    return dict(evaluator, type='SplitCocoMetric', splits=split.measured())
