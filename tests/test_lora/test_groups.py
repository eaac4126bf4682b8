import pytest
import torch
from mmcv.cnn import ConvModule
from torch import nn
from toy import Block, Detector, trained

from gslora_det.lora import inject_lora, lora_disabled, lora_groups


@pytest.fixture
def detector():
    torch.manual_seed(0)
    return Detector()


@pytest.mark.parametrize('target, group', [
    ('encoder.layers.1.attention', 'encoder.layers.1'),
    ('encoder.layers.1.ffn.layers.0.0', 'encoder.layers.1'),
    ('stages.0.1.ffn.layers.1', 'stages.0.1'),
    ('fcs.0', 'fcs.0'),
    ('tower.0.conv', 'tower.0'),
    ('head', 'head')])
def test_a_group_is_the_nearest_element_of_a_list_or_the_parent(detector, target, group):
    detector.stages = nn.ModuleList([nn.ModuleList([Block(), Block()])])
    detector.fcs = nn.ModuleList([nn.Linear(8, 8)])
    detector.tower = nn.Sequential(ConvModule(8, 8, 3))
    (found,) = inject_lora(detector, 2, [target])
    assert found.name == group and list(found.layers) == [target]


def test_disabled_groups_act_as_before_the_training(detector):
    x = torch.randn(4, 8)
    expected = detector(x)
    groups = trained(detector)
    with lora_disabled(groups):
        assert torch.equal(detector(x), expected)
    assert not torch.equal(detector(x), expected)


def test_group_norm_is_the_frobenius_norm_of_the_update(detector):
    detector.neck = nn.ModuleList([nn.Sequential(nn.Conv2d(4, 6, 3), nn.Linear(6, 8))])
    (group,) = inject_lora(detector, 2, ['neck.*'])
    conv, linear = group.layers.values()
    for layer in (conv, linear):
        nn.init.normal_(layer.lora_B)
    deltas = (torch.einsum('or,rikl->oikl', conv.lora_B[:, :, 0, 0], conv.lora_A),
              linear.lora_B @ linear.lora_A)
    expected = sum(((0.5 * d)**2).sum() for d in deltas)**0.5
    assert lora_groups(detector)[0].norm() == pytest.approx(expected.item(), rel=1e-6)
    matrices = [conv.lora_A, linear.lora_A, conv.lora_B, linear.lora_B]
    assert all(a is b for a, b in zip(group.matrices(), matrices))
