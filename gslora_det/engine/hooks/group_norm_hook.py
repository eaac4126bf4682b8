from mmdet.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner

from gslora_det.engine.unwrapped import unwrapped
from gslora_det.lora import lora_groups


@HOOKS.register_module()
class GroupNormHook(Hook):
    """Logs the size ||s B A||_F of every LoRA group and the number of active ones.

    Args:
        interval (int): Steps between two measurements.
    """
    priority = 'ABOVE_NORMAL'  # before the logger reads the message hub

    def __init__(self, interval: int = 50) -> None:
        self.interval = interval

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch=None,
                         outputs=None) -> None:
        if not (self.every_n_train_iters(runner, self.interval)
                or self.is_last_train_iter(runner)):
            return
        norms = {group.name: group.norm()
                 for group in lora_groups(unwrapped(runner.model).detector)}
        for name, norm in norms.items():
            runner.message_hub.update_scalar(f'train/norm/{name}', norm)
        if norms:  # some methods have no groups
            runner.message_hub.update_scalar('train/active_groups',
                                             sum(norm > 0 for norm in norms.values()))
