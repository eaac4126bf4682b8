from collections.abc import Callable

from mmdet.registry import HOOKS
from mmengine.hooks import Hook


@HOOKS.register_module()
class ProgressHook(Hook):
    """Tells a progress bar of every finished batch.

    Args:
        advance (callable): Called without arguments after each training step and each
            validation batch.
    """

    def __init__(self, advance: Callable[[], None]) -> None:
        self.advance = advance

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        self.advance()

    def after_val_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        self.advance()
