from collections.abc import Iterator

from mmdet.registry import HOOKS
from mmdet.structures import DetDataSample
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor

from gslora_det.engine.unwrapped import unwrapped


@HOOKS.register_module()
class MethodHook(Hook):
    """Calls the method at its moments and keeps its state in checkpoints.

    Args:
        most_images (int, optional): Give a method no more images to measure on before its
            task, whatever it asks for.

    Attributes:
        images_measured (int): Images that the method was given on this process to measure on.
    """
    priority = 'VERY_HIGH'  # what others measure after a step is what the method made of it

    def __init__(self, most_images: int | None = None) -> None:
        self.most_images = most_images
        self.images_measured = 0

    def before_train(self, runner: Runner) -> None:
        if runner.iter:  # resumed: what was measured before the task is in the state
            return
        model, most = unwrapped(runner.model), self.most_images

        def images(branch: str, number: int) -> Iterator[tuple[Tensor, DetDataSample]]:
            for each in _images(runner, branch, number if most is None else min(number, most)):
                self.images_measured += 1
                yield each

        model.method.before_task(model.detector, images)

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch=None,
                         outputs=None) -> None:
        if not runner.optim_wrapper.should_update():  # gradients are still added up
            return
        model = unwrapped(runner.model)
        lr = next(iter(runner.optim_wrapper.get_lr().values()))[0]
        model.method.after_step(model.detector, lr, (runner.iter + 1) / runner.max_iters)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        checkpoint['method'] = unwrapped(runner.model).method.state_dict()
        checkpoint['images_measured'] = self.images_measured

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        unwrapped(runner.model).method.load_state_dict(checkpoint['method'])
        self.images_measured = checkpoint['images_measured']


def _images(runner: Runner, branch: str, number: int) -> Iterator[tuple[Tensor, DetDataSample]]:
    """Single images of a branch, at most so many and each once.

    From a loader of their own: training's is not advanced.
    """
    loader = Runner.build_dataloader(_loader_of(runner.cfg.train_dataloader, branch))
    left = len(range(runner.rank, min(number, len(loader.dataset)), runner.world_size))
    preprocess = unwrapped(runner.model).data_preprocessor.data_preprocessor
    for data in loader:
        data = preprocess({key: value[branch] for key, value in data.items()}, training=True)
        for image, sample in zip(data['inputs'], data['data_samples']):
            if not left:
                return
            left -= 1
            yield image, sample


def _loader_of(loader: dict, branch: str) -> dict:
    """The config of a loader that gives of a paired one's batches what is of one branch."""
    sources = zip(loader['dataset']['datasets'], loader['sampler']['source_ratio'])
    dataset, size = next(source for source in sources if source[0]['branch'] == branch)
    return dict(loader, batch_size=size, dataset=dict(loader['dataset'], datasets=[dataset]),
                sampler=dict(loader['sampler'], batch_size=size, source_ratio=[size]))
