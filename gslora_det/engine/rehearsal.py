"""Builds once what the tasks of a sequence will need, and takes the first step, for nothing.

MMEngine builds optimisers, schedulers, loaders and hooks when a task starts, which is after the
original model was measured: hours on COCO. What cannot work there shows here.
"""

import contextlib
import copy
import importlib.util
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

import torch
from mmdet.registry import HOOKS, METRICS, PARAM_SCHEDULERS, VISUALIZERS
from mmengine.config import Config
from mmengine.dist import get_world_size
from mmengine.hooks import Hook
from mmengine.optim import build_optim_wrapper
from mmengine.runner import Runner, get_priority
from torch.utils.data import DataLoader

from gslora_det.checks.config import check_devices
from gslora_det.checks.settings import listed, type_name
from gslora_det.datasets.random_steps import random_steps
from gslora_det.engine.plan import TaskPlan
from gslora_det.engine.runner import TaskRunner
from gslora_det.engine.task_config import BUFFERS, RunConfig
from gslora_det.engine.unwrapped import unwrapped
from gslora_det.files import write_json
from gslora_det.options import in_one_line

# What a backend imports when it writes for the first time, which is after training began.
_PACKAGES = dict(
    TensorboardVisBackend='tensorboard', WandbVisBackend='wandb', MLflowVisBackend='mlflow',
    ClearMLVisBackend='clearml', NeptuneVisBackend='neptune', DVCLiveVisBackend='dvclive',
    AimVisBackend='aim')


@contextlib.contextmanager
def named(setting: str) -> Iterator[None]:
    """Says which setting an error belongs to."""
    try:
        yield
    except Exception as error:  # libraries raise of every kind
        raise ValueError(f'{setting}: {in_one_line(error)}') from error


class Rehearsed(NamedTuple):
    """What a rehearsal tells.

    Attributes:
        val_batches (int): Batches of an evaluation.
        looks_alike (bool): Whether an image looks the same every time.
    """
    val_batches: int
    looks_alike: bool


def rehearse(cfg: Config, plan: list[TaskPlan], runs: Sequence[Config]) -> Rehearsed:
    """Builds what the config names, as the tasks will, and tries it on a few images.

    Part by part, so that an error names its setting; then as a whole, up to the first step
    and the first image of an evaluation.

    Args:
        cfg (Config): The config of the sequence.
        plan (list[TaskPlan]): Its tasks.
        runs (list[Config]): The config of each task's run.

    Raises:
        ValueError: Something cannot be built, or does not go with the rest; one line names
            the setting. Nothing is left behind.
    """
    check_devices(cfg)
    with tempfile.TemporaryDirectory() as folder:
        run = _rehearsal_config(plan, runs[0], Path(folder))
        _visualizer(cfg, run)
        _hooks(cfg)
        batches, alike = _validation_data(run)
        alike &= _training_data(cfg, run)
        with named('task 1'):
            runner = TaskRunner.from_cfg(_without_workers(run))
        model = unwrapped(runner.model)
        if model.num_trainable():
            _optimizer(cfg, runs, runner)
        _first_step(runner)
        return Rehearsed(batches, alike)


def _rehearsal_config(plan: list[TaskPlan], run: Config, folder: Path) -> Config:
    """The config of a task's run with the buffers of all, which writes nothing elsewhere."""
    run = RunConfig(copy.deepcopy(run.to_dict()))
    run.work_dir = run.experiment_name = str(folder)
    run.visualizer.update(name=str(folder), save_dir=str(folder), vis_backends=None)
    write_json(folder / BUFFERS, {
        branch: sorted({image for task in plan for image in task.buffers[branch]})
        for branch in plan[0].buffers})
    for branch in run.train_dataloader.dataset.datasets:
        branch.buffers = str(folder / BUFFERS)
    # Those of the config were built, but they may tell somebody of a run, once.
    run.custom_hooks = [dict(type='MethodHook', most_images=1), dict(type='FirstStepHook')]
    return run


def _without_workers(run: Config) -> Config:
    """The same run in one process: workers that are left after a step are waited for, 5 s each."""
    loader = run.train_dataloader
    if loader.get('num_workers'):
        loader.update(num_workers=0, persistent_workers=False)
        for option in ('prefetch_factor', 'timeout'):  # which only workers take
            loader.pop(option, None)
    return run


def _visualizer(cfg: Config, run: Config) -> None:
    visualizer = cfg.get('visualizer') or {}
    for name, backend in listed(visualizer, 'vis_backends', 'visualizer.'):
        package = _PACKAGES.get(type_name(backend))
        if package and importlib.util.find_spec(package) is None:
            raise ValueError(f'{name}: {type_name(backend)} needs the package {package}: pip '
                             f'install {package}, or leave it out')
    with named('visualizer'):
        VISUALIZERS.build(dict(
            copy.deepcopy(dict(run.visualizer, **visualizer)), name=f'{run.work_dir}/visualizer',
            save_dir=run.work_dir))


def _hooks(cfg: Config) -> None:
    default = [(f'default_hooks.{name}', hook)
               for name, hook in (cfg.get('default_hooks') or {}).items()
               if hook is not None and name != 'checkpoint']  # which tasks have their own of
    for name, hook in default + listed(cfg, 'custom_hooks'):
        with named(name):
            options = copy.deepcopy(hook)
            get_priority(options.pop('priority', 'NORMAL'))
            HOOKS.build(options)


def _optimizer(cfg: Config, runs: Sequence[Config], runner: Runner) -> None:
    detector = unwrapped(runner.model).detector
    with named('optim_wrapper'):
        runner.optim_wrapper = build_optim_wrapper(detector, cfg.optim_wrapper)
        tried = build_optim_wrapper(detector, cfg.optim_wrapper)
    for number, run in enumerate(runs, 1):
        for name, scheduler in listed(run, 'param_scheduler'):
            with named(f'{name}, in task {number} of {run.train_cfg.max_iters} steps'):
                built = PARAM_SCHEDULERS.build(copy.deepcopy(scheduler),
                                               default_args=dict(optimizer=tried))
                with warnings.catch_warnings():
                    warnings.simplefilter('ignore')  # that the optimiser takes no step
                    for _ in range(run.train_cfg.max_iters):
                        built.step()


def _training_data(cfg: Config, run: Config) -> bool:
    """Whether an image looks the same every time."""
    with named('train_dataloader'):
        loader = Runner.build_dataloader(run.train_dataloader)
        branches = loader.dataset.datasets
        loader.collate_fn([branch[0] for branch in branches])
    found = random_steps(branches[0].dataset)
    if found and cfg.method.get('cache_teachers'):
        raise ValueError(
            'method.cache_teachers remembers what is said of an image, but train_dataloader'
            f'.dataset.pipeline has steps that draw at random ({", ".join(found)}): set '
            'method.cache_teachers=False, or leave them out')
    return not found


def _validation_data(run: Config) -> tuple[int, bool]:
    """The number of batches, and whether an image looks the same every time."""
    with named('val_dataloader'):
        loader = Runner.build_dataloader(run.val_dataloader)
        loader.collate_fn([loader.dataset[0]])
    with named('val_evaluator'):
        metric = METRICS.build(copy.deepcopy(run.val_evaluator))
        metric.dataset_meta = loader.dataset.metainfo
    check_all_are_measured(loader, len(metric._coco_api.dataset['images']), 'val_dataloader')
    return len(loader), not random_steps(loader.dataset)


def check_all_are_measured(loader: DataLoader, annotated: int, name: str) -> None:
    """Refuses a loader that leaves images out: their objects would count as not found.

    Args:
        loader (DataLoader): The loader of an evaluation.
        annotated (int): Images of the annotation file.
        name (str): What an error calls the loader.

    Raises:
        ValueError: It gives other images than all, each once.
    """
    images = len(loader.dataset)
    if images != annotated:
        raise ValueError(
            f'{name}.dataset gives {images:,} of the {annotated:,} images of its '
            'annotation file, and the objects of all would be counted: remove indices, '
            'filter_cfg and num_batch_per_epoch (or set test_mode=True), and to measure on '
            'fewer images shorten the annotation file')
    if get_world_size() == 1:
        with named(name):
            seen = list(islice(chain.from_iterable(loader.batch_sampler), images + 1))
        if sorted(seen) != list(range(images)):
            raise ValueError(
                f'{name} gives {len(set(seen)):,} of the {images:,} images, or some of '
                'them twice: leave out drop_last and set '
                "sampler=dict(type='DefaultSampler', shuffle=False)")


class _Enough(Exception):
    """The first step is taken."""


@HOOKS.register_module()
class FirstStepHook(Hook):
    """Ends a rehearsal after its first step, once all other hooks have seen that."""
    priority = 'LOWEST'

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch=None,
                         outputs=None) -> None:
        raise _Enough


def _first_step(runner: Runner) -> None:
    """The first image of an evaluation, and the first step as a task takes it."""
    with named('the first validation image'):
        loop = runner.val_loop
        batch = loop.dataloader.collate_fn([loop.dataloader.dataset[0]])
        with torch.no_grad():
            outputs = runner.model.eval().val_step(batch)
        if not all(sample.pred_instances.bboxes.isfinite().all() for sample in outputs):
            raise ValueError('boxes are found that are not finite: are these the weights of '
                             'this detector?')
        loop.evaluator.process(data_samples=outputs, data_batch=batch)
    with named('the first step of task 1'), contextlib.suppress(_Enough):
        runner.train()
