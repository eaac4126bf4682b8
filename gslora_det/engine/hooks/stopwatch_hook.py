import time

from mmdet.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner


@HOOKS.register_module()
class StopwatchHook(Hook):
    """Counts the seconds of a task over all its starts, by what checkpoints keep.

    Time after the checkpoint that a resumed run continues from is lost with its steps.
    """

    def __init__(self) -> None:
        self._start = time.monotonic()

    @property
    def seconds(self) -> float:
        """Since the hook was made, and before the checkpoint that was loaded."""
        return time.monotonic() - self._start

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        checkpoint['seconds'] = self.seconds

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        self._start -= checkpoint['seconds']
