"""The ordinary MMEngine runs of a sequence: one measures the original, one trains each task."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

from mmengine.config import Config
from mmengine.dist import all_gather_object
from mmengine.optim import build_optim_wrapper
from mmengine.runner import Runner
from mmengine.visualization import Visualizer

from gslora_det.engine.hooks import (
    ExportHook,
    FatesHook,
    MethodHook,
    ProgressHook,
    StopwatchHook,
)
from gslora_det.engine.hooks.export_hook import ADAPTER, MERGED
from gslora_det.engine.provenance import peak_memory
from gslora_det.engine.recorded_files import file_entry
from gslora_det.engine.runner import TaskRunner
from gslora_det.engine.unwrapped import unwrapped
from gslora_det.weights import last_checkpoint, load_weights


def measure(run_cfg: Config, weights: str, advance: Callable[[], None]) -> dict:
    """The results of a detector on the validation set.

    Args:
        run_cfg (Config): See :func:`gslora_det.engine.task_config.evaluation_config`.
        weights (str): Its weights, loaded strictly.
        advance (callable): Called after each batch.
    """
    runner = _runner(run_cfg, advance)
    load_weights(unwrapped(runner.model), weights)
    with _closed_at_the_end(runner.visualizer):
        return runner.val()


class TaskRun:
    """The run of one task, from its last checkpoint on where there is one.

    Args:
        run_cfg (Config): See :func:`gslora_det.engine.task_config.task_config`.
        advance (callable): Called after each step and each validation batch.

    Attributes:
        model (UnlearningDetector): What is trained.
        trainable (int): The number of its parameters that train.
    """

    def __init__(self, run_cfg: Config, advance: Callable[[], None]) -> None:
        self._folder = Path(run_cfg.work_dir)
        unfinished = last_checkpoint(self._folder)
        run_cfg.load_from, run_cfg.resume = unfinished, unfinished is not None
        self._stopwatch = StopwatchHook()
        self._runner = _runner(run_cfg, advance)
        self._runner.register_hook(self._stopwatch)
        self.model = unwrapped(self._runner.model)
        if self.model.num_trainable():
            # Of the plain detector, whose parts and names constructors look for.
            self._runner.optim_wrapper = build_optim_wrapper(
                self.model.detector, run_cfg.optim_wrapper)
        self.trainable = self.model.num_trainable()

    def run(self) -> dict:
        """Trains, merges and measures; gives the results of the metric."""
        with _closed_at_the_end(self._runner.visualizer):
            self._runner.train()
            return self._runner.val()

    def remove_checkpoints(self) -> None:
        """Removes what an unfinished task goes on from."""
        for checkpoint in self._folder.glob('iter_*.pth'):
            checkpoint.unlink()
        (self._folder / 'last_checkpoint').unlink(missing_ok=True)

    def remembered(self, room: float) -> str | None:
        """What was remembered of images, in words; None if nothing.

        Args:
            room (float): Bytes that there are for it.
        """
        prefix = vars(self.model.detector).get('prefix')
        if not prefix or not prefix.seen:
            return None
        return (f'what stands before the first layer that trains ran once: {len(prefix.seen):,} '
                f'images, {prefix.size / 2**20:,.0f} of at most {room / 2**20:,.0f} MiB '
                '(sequence.cache_gib)')

    def facts(self, images_a_step: int) -> dict:
        """What the record keeps of the run beside its results: costs, norms, counts, files.

        Args:
            images_a_step (int): Images that one process looks at in a step.
        """
        runner = self._runner
        measured = all_gather_object(self._hook(MethodHook).images_measured)
        return dict(
            seconds=round(self._stopwatch.seconds, 1),
            images_seen=runner.max_iters * images_a_step * runner.world_size + sum(measured),
            peak_memory=peak_memory(), trainable_parameters=self.trainable,
            total_parameters=self.model.num_parameters, groups=self._hook(ExportHook).norms,
            objects=getattr(self._hook(FatesHook), 'counts', None) or None,
            **{name: file_entry(self._folder.parent, self._folder / file)
               for name, file in (('merged', MERGED), ('adapter', ADAPTER))
               if (self._folder / file).exists()})

    def _hook(self, kind: type) -> object | None:
        return next((hook for hook in self._runner.hooks if isinstance(hook, kind)), None)


def _runner(run_cfg: Config, advance: Callable[[], None]) -> Runner:
    runner = TaskRunner.from_cfg(run_cfg)
    runner.register_hook(ProgressHook(advance))
    return runner


@contextlib.contextmanager
def _closed_at_the_end(visualizer: Visualizer) -> Iterator[None]:
    """MMEngine closes a visualizer after training, but the measurement is still to come."""
    close, visualizer.close = visualizer.close, lambda: None
    try:
        yield
    finally:
        close()
