import random

import numpy as np
import torch
from mmdet.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner


@HOOKS.register_module()
class RandomStateHook(Hook):
    """Keeps the random state in checkpoints, which MMEngine does not.

    PyTorch's is restored right before the first step that follows. NumPy's and Python's
    draw the augmentation, so they are restored before the first batch is loaded, unless
    MMEngine reaches that batch by loading, and so augmenting, all those before it. Of several
    processes each goes on with the first one's state.
    """

    def __init__(self) -> None:
        self._loaded = None

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        kind, keys, *rest = np.random.get_state()
        checkpoint['random_state'] = dict(
            python=random.getstate(), numpy=(kind, keys.tolist(), *rest),
            torch=torch.get_rng_state(),
            cuda=[torch.cuda.get_rng_state()] if torch.cuda.is_available() else [])

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        self._loaded = checkpoint['random_state']

    def before_train_epoch(self, runner: Runner) -> None:
        batches = runner.train_loop.dataloader_iterator
        if self._loaded is None or not hasattr(batches, 'skip_iter'):
            return
        random.setstate(self._loaded['python'])
        kind, keys, *rest = self._loaded['numpy']
        np.random.set_state((kind, np.array(keys, np.uint32), *rest))

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch=None) -> None:
        if self._loaded is None:
            return
        state, self._loaded = self._loaded, None
        # MMEngine has moved all tensors of the checkpoint to its own device.
        torch.set_rng_state(state['torch'].cpu())
        if torch.cuda.is_available() and state['cuda']:
            torch.cuda.set_rng_state(state['cuda'][0].cpu())
