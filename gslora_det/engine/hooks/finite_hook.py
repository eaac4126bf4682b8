import torch
from mmdet.registry import HOOKS
from mmengine.dist import all_reduce
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor

from gslora_det.engine.unwrapped import unwrapped


@HOOKS.register_module()
class FiniteHook(Hook):
    """Ends a run at the first step whose losses or weights are not finite.

    All processes end together. It comes before checkpoints are saved: the last one keeps
    the last good state.
    """

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch=None,
                         outputs: dict[str, Tensor] | None = None) -> None:
        model = unwrapped(runner.model)
        values = {name: value.detach().float() for name, value in outputs.items()
                  if name != 'loss'}
        values['a trained weight'] = sum(
            (p.detach().sum() for p in model.parameters() if p.requires_grad),
            outputs['loss'].new_zeros(()))
        broken = (~torch.isfinite(torch.stack(list(values.values())))).float()
        all_reduce(broken)
        if broken.any():
            found = ', '.join(n for n, is_broken in zip(values, broken) if is_broken)
            raise ValueError(
                f'task {model.method.task}, step {runner.iter + 1}: {found} is not finite; '
                'nothing was merged. Start again with a lower learning rate in another '
                '--work-dir')
