"""From a user's config to the configs of ordinary MMEngine runs."""

import copy
import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from pprint import pformat
from typing import Any

from mmengine.config import Config

from gslora_det.checks.settings import listed, setting
from gslora_det.datasets.branch_dataset import READINGS
from gslora_det.engine.plan import TaskPlan
from gslora_det.files import as_word

PREDICTIONS = 'original_predictions.json'
SCORE_THRS = (0.3, 0.5)  # at which objects are counted that are found no more
BUFFERS = 'buffers.json'
CONFIG = 'config.py'  # of the whole sequence


class _Text(str):
    """Python text that prints as it is."""
    __repr__ = str.__str__


def _as_text(value: Any) -> Any:
    """A value of a config whose ``repr`` reads as that value."""
    if isinstance(value, dict):
        return {key: _as_text(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(map(_as_text, value))
    if isinstance(value, float) and not math.isfinite(value):
        return _Text(f"float('{value}')")
    if hasattr(value, 'tolist'):  # NumPy's numbers and arrays
        return _as_text(value.tolist())
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return as_word(value)


def beside_config(name: str) -> str:
    """Stands in a config that is kept for the path of a file beside it, wherever both move."""
    return _Text(f'r"""{{{{fileDirname}}}}/{name}"""')


class RunConfig(Config):
    """A config whose text is plainly formatted: MMEngine's formatter takes seconds."""

    @property
    def pretty_text(self) -> str:
        """The config as Python text."""
        return ''.join(f'{key} = {pformat(_as_text(value), width=100, compact=True)}\n'
                       for key, value in self.to_dict().items())


def splits_of(tasks: list[TaskPlan]) -> dict[str, Sequence[str]]:
    """The splits of all tasks, by names that end in the task's number."""
    return {name: classes for task in tasks
            for name, classes in task.split.measured(f'_{task.number}').items()}


def split_evaluator(evaluator: dict, splits: dict, original: dict | None = None) -> dict:
    """The config of the metric that measures the splits, from that of ``CocoMetric``."""
    return dict(evaluator, type='SplitCocoMetric', classwise=True, metric_items=['mAP'],
                splits=splits, original=original)


def _run_config(cfg: Config, name: str, work_dir: Path, keys: list[str]) -> Config:
    """The parts of a config that every run has, with names of its own."""
    run = RunConfig(copy.deepcopy({k: cfg[k] for k in keys if cfg.get(k) is not None}))
    run.experiment_name = f'{name}_{work_dir.resolve()}'
    run.work_dir = str(work_dir)
    visualizer = cfg.get('visualizer') or dict(type='DetLocalVisualizer')
    run.visualizer = dict(visualizer, name=run.experiment_name)
    run.val_cfg = dict(type='ValLoop')
    return run


def evaluation_config(cfg: Config, work_dir: Path, tasks: list[TaskPlan]) -> Config:
    """The run that measures the original model once, for the splits of all tasks."""
    run = _run_config(cfg, 'original', work_dir,
                      ['default_scope', 'env_cfg', 'model', 'val_dataloader',
                       'val_evaluator', 'launcher', 'model_wrapper_cfg', 'randomness'])
    run.val_evaluator = split_evaluator(run.val_evaluator, splits_of(tasks))
    run.custom_hooks = [dict(type='KeepDetectionsHook', file=str(work_dir / PREDICTIONS),
                             score_thr=min(SCORE_THRS))]
    return run


def task_config(cfg: Config, task: TaskPlan, work_dir: Path, classes: list[str],
                weights: str, original: dict, meta: dict, predictions: Path | None = None,
                original_weights: str | None = None) -> Config:
    """The run of one task.

    Args:
        cfg (Config): The user's config.
        task (TaskPlan): The task.
        work_dir (Path): Folder of the sequence; the task gets one inside.
        classes (list[str]): All classes, in the detector's order.
        weights (str): Checkpoint that the task starts from.
        original (dict): AP of the original model on the task's splits, see
            :func:`gslora_det.engine.record.split_metrics`.
        meta (dict): Stored with the merged weights, beside what the task erased.
        predictions (Path, optional): File of the original model's detections, which those of
            the task are compared with.
        original_weights (str, optional): Checkpoint before any erasure, which teachers have;
            ``cfg.load_from`` by default.
    """
    number = task.number
    run = _run_config(cfg, f'task_{number}', work_dir / f'task_{number}',
                      ['default_scope', 'env_cfg', 'default_hooks', 'val_dataloader',
                       'val_evaluator', 'optim_wrapper', 'param_scheduler', 'launcher',
                       'model_wrapper_cfg', 'randomness', 'auto_scale_lr',
                       'find_unused_parameters'])
    split = {k: list(v) for k, v in asdict(task.split).items()}
    run.model = dict(
        type='UnlearningDetector', detector=cfg.model,
        method=dict(cfg.method, classes=list(classes), split=split, task=number),
        weights=weights, original=original_weights or cfg.load_from)
    run.randomness = dict(cfg.get('randomness') or {})
    run.randomness['seed'] = (run.randomness.get('seed') or 0) + number
    run.train_dataloader = _paired_loader(
        cfg, task, str(Path(run.work_dir) / BUFFERS), run.randomness.seed)
    run.train_cfg = dict(type='IterBasedTrainLoop', max_iters=task.iters,
                         val_begin=task.iters + 1)  # the sequence measures what it merged
    run.param_scheduler = [
        dict(scheduler, end=scheduler.get('end', task.iters))
        for _, scheduler in listed(run, 'param_scheduler') if task.iters]
    run.log_processor = dict(type='LogProcessor', window_size=20, by_epoch=False)
    run.default_hooks = dict(run.get('default_hooks') or {})
    run.default_hooks.checkpoint = dict(  # what a resumption looks for, whatever the user's is
        type='CheckpointHook', by_epoch=False,
        max_keep_ckpts=2,  # MMEngine removes the older ones before it writes
        interval=setting(cfg.sequence, 'checkpoint_interval'), save_last=False)
    run.val_evaluator = split_evaluator(run.val_evaluator, task.split.measured(), dict(
        forgotten=original.get('AP_forgotten'),
        forgotten_reference=original.get('reference', {}).get('AP_forgotten')))
    run.custom_hooks = [
        dict(type='MethodHook'), dict(type='FiniteHook'), dict(type='RandomStateHook'),
        dict(type='GroupNormHook'), dict(type='ExportHook', meta=dict(
            meta, task=number, forgotten=split['forgotten'], old=split['old'])),
        *(copy.deepcopy(hook) for _, hook in listed(cfg, 'custom_hooks'))]
    if predictions:
        known = dict(predictions=str(predictions), split=split)
        run.custom_hooks.append(dict(type='FatesHook', score_thrs=SCORE_THRS, **known))
        if task.pictures:
            run.custom_hooks.append(dict(
                type='ErasedBoxesHook', images=task.pictures,
                out_dir=str(work_dir / 'erased' / f'task_{number}'), **known))
    return run


def _paired_loader(cfg: Config, task: TaskPlan, buffers: str, seed: int) -> dict:
    settings = cfg.sequence
    keep = task.split.branches
    sizes = [settings[branch].batch_size for branch in keep]
    loader = cfg.train_dataloader.to_dict()
    branches = [
        dict(type='BranchDataset', dataset=loader['dataset'], branch=branch, keep=list(names),
             buffers=buffers,
             **{key: settings[key] for key in READINGS if settings.get(key) is not None})
        for branch, names in keep.items()]
    return dict(
        loader, batch_size=sum(sizes), batch_sampler=None,
        sampler=dict(type='MultiSourceSampler', batch_size=sum(sizes), source_ratio=sizes,
                     seed=seed),
        dataset=dict(type='ConcatDataset', datasets=branches))

