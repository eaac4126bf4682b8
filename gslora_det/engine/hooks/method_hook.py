from mmdet.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner


def unlearning_detector(runner: Runner):
    """The :class:`UnlearningDetector` of a runner, also under DDP."""
    return runner.model.module if is_model_wrapper(runner.model) else runner.model


@HOOKS.register_module()
class MethodHook(Hook):
    """Calls the method after each optimiser step and keeps its state in checkpoints."""

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch=None,
                         outputs=None) -> None:
        model = unlearning_detector(runner)
        lr = runner.optim_wrapper.get_lr()
        model.method.after_step(model.detector, next(iter(lr.values()))[0])

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        checkpoint['method'] = unlearning_detector(runner).method.state_dict()

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        unlearning_detector(runner).method.load_state_dict(checkpoint['method'])
