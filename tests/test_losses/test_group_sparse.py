import math

import pytest
import torch
from torch import nn

from gslora_det.lora import LoRAGroup, LoRALinear
from gslora_det.losses import group_soft_threshold_, group_sparse_loss


def group(values_a, values_b):
    layers = {}
    for index, (a, b) in enumerate(zip(values_a, values_b)):
        layer = LoRALinear(nn.Linear(2, 2), 1)
        layer.lora_A.data.fill_(a)  # norm a * sqrt(2)
        layer.lora_B.data.fill_(b)
        layers[str(index)] = layer
    return LoRAGroup('block', layers)


def test_joint_and_separate_norms():
    groups = [group([3.0, 0.0], [4.0, 0.0]), group([1.0, 2.0], [2.0, 4.0])]
    joint = math.sqrt(2 * 25) + math.sqrt(2 * 25)
    separate = math.sqrt(18) + math.sqrt(32) + math.sqrt(2 * 5) + math.sqrt(2 * 20)
    assert group_sparse_loss(groups, 'joint').item() == pytest.approx(joint, rel=1e-6)
    assert group_sparse_loss(groups, 'separate').item() == pytest.approx(separate, rel=1e-6)


@pytest.mark.parametrize('norm', ['joint', 'separate'])
def test_gradient_at_a_zero_group_is_zero(norm):
    zero = group([0.0], [0.0])
    group_sparse_loss([zero], norm).backward()
    for matrix in zero.matrices():
        assert torch.equal(matrix.grad, torch.zeros_like(matrix))


def test_unknown_norm_is_refused():
    with pytest.raises(ValueError, match="norm is 'l1'"):
        group_sparse_loss([group([1.0], [1.0])], 'l1')


def test_soft_threshold_shrinks_by_the_amount_and_reaches_exact_zero():
    large, small = group([3.0], [4.0]), group([0.1], [0.0])
    norm = math.sqrt(50)
    group_soft_threshold_([large, small], 0.5)
    assert group_sparse_loss([large]).item() == pytest.approx(norm - 0.5, rel=1e-6)
    assert all(torch.equal(m, torch.zeros_like(m)) for m in small.matrices())


def test_soft_threshold_is_the_proximal_operator():
    start = group([3.0], [4.0])
    point = torch.cat([m.detach().flatten().clone() for m in start.matrices()])
    group_soft_threshold_([start], 0.7)
    found = torch.cat([m.detach().flatten() for m in start.matrices()])

    def objective(x):
        return 0.5 * (x - point).square().sum() + 0.7 * x.norm()

    for _ in range(20):
        assert objective(found) <= objective(found + 0.01 * torch.randn_like(found))
