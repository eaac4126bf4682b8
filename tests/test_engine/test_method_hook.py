"""When a method is called, and what it is told, in MMEngine's own training loop."""

import pytest
import torch
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import nn

from gslora_det.engine.hooks import MethodHook
from gslora_det.methods import Method


class Spy(Method):
    """Notes its calls."""

    def __init__(self):
        self.calls = []

    def before_task(self, detector, images):
        self.calls.append('before_task')

    def after_step(self, detector, lr, progress):
        self.calls.append((detector.weight.item(), lr, progress))


class Toy(BaseModel):

    def __init__(self):
        super().__init__()
        self.detector = nn.Linear(1, 1, bias=False)
        self.detector.weight.data.zero_()
        self.method = Spy()

    def forward(self, *data, mode):
        return dict(loss=self.detector.weight.sum())


@pytest.fixture
def runner(tmp_path):
    """A runner of five steps; the learning rate is 0.5, and 0.05 after the second."""
    def make(accumulative_counts=1, **options):
        return Runner(
            Toy(), str(tmp_path), torch.utils.data.DataLoader([[torch.zeros(1)]] * 8),
            train_cfg=dict(type='IterBasedTrainLoop', max_iters=5),
            optim_wrapper=dict(type='OptimWrapper', accumulative_counts=accumulative_counts,
                               optimizer=dict(type='SGD', lr=0.5)),
            param_scheduler=dict(type='MultiStepLR', by_epoch=False, milestones=[2]),
            default_hooks=dict(checkpoint=dict(
                type='CheckpointHook', by_epoch=False, interval=2, save_last=False)),
            custom_hooks=[dict(type='MethodHook')], default_scope='mmdet',
            experiment_name=f'{tmp_path}{options}', **options)
    return make


@pytest.mark.parametrize('accumulative_counts, done, lrs', [
    (1, [0.2, 0.4, 0.6, 0.8, 1], [0.5, 0.5, 0.05, 0.05, 0.05]),
    (2, [0.4, 0.8, 1], [0.5, 0.05, 0.05])])
def test_a_method_is_called_after_each_step_of_the_optimiser(
        runner, accumulative_counts, done, lrs):
    """With the rate of that step, and the share of the training that is done."""
    run = runner(accumulative_counts)
    run.train()
    first, *called = run.model.method.calls
    weights, rates, progress = zip(*called)
    assert first == 'before_task'
    assert (progress, rates) == (pytest.approx(done), pytest.approx(lrs))
    assert len({0.0, *weights}) == 1 + len(done)  # each step has moved the weight


def test_a_resumed_task_does_not_measure_again(runner, tmp_path):
    first = runner()
    hook, = (each for each in first.hooks if isinstance(each, MethodHook))
    hook.images_measured = 7
    first.train()
    resumed = runner(load_from=str(tmp_path / 'iter_4.pth'), resume=True)
    resumed.train()
    assert resumed.model.method.calls == first.model.method.calls[-1:]
    hook, = (each for each in resumed.hooks if isinstance(each, MethodHook))
    assert hook.images_measured == 7
