import copy

import pytest
import torch
from mmcv.cnn.bricks.transformer import FFN
from torch import nn

from gslora_det.lora import (
    inject_lora,
    lora_disabled,
    lora_groups,
    lora_state,
    merge_lora,
    plain_state_dict,
)


class Block(nn.Module):

    def __init__(self):
        super().__init__()
        self.attention = nn.Linear(8, 8)
        self.ffn = FFN(8, 16, num_fcs=2, ffn_drop=0.0)

    def forward(self, x):
        return self.ffn(self.attention(x))


class Detector(nn.Module):

    def __init__(self):
        super().__init__()
        self.encoder = nn.Module()
        self.encoder.layers = nn.ModuleList([Block(), Block()])
        self.head = nn.Linear(8, 3)

    def forward(self, x):
        for layer in self.encoder.layers:
            x = layer(x)
        return self.head(x)


@pytest.fixture
def detector():
    torch.manual_seed(0)
    return Detector()


def trained(detector):
    groups = inject_lora(detector, rank=2)
    for group in groups:
        for layer in group.layers.values():
            nn.init.normal_(layer.lora_B, std=0.1)
    return groups


def test_default_targets_are_the_ffns_one_group_a_block(detector):
    groups = inject_lora(detector, rank=2)
    assert [g.name for g in groups] == ['encoder.layers.0', 'encoder.layers.1']
    assert [len(g.layers) for g in groups] == [2, 2]
    # rank * (in + out) for 8 -> 16 and 16 -> 8, in two blocks
    assert sum(v.numel() for v in lora_state(detector).values()) == 2 * 2 * 2 * (8 + 16)


def test_injection_does_not_change_the_output(detector):
    x = torch.randn(4, 8)
    expected = detector(x)
    inject_lora(detector, rank=2)
    assert torch.equal(detector(x), expected)


def test_patterns_choose_other_layers(detector):
    groups = inject_lora(detector, 2, targets=['encoder.layers.*.attention', 'head'])
    assert [list(g.layers) for g in groups] == [
        ['encoder.layers.0.attention'], ['encoder.layers.1.attention'], ['head']]


def test_target_without_a_match_names_near_misses(detector):
    with pytest.raises(ValueError, match='encoder.layers.0.attention'):
        inject_lora(detector, 2, targets=['encoder.layers.0.atention'])


@pytest.mark.parametrize('targets', [None, ['*']])
def test_layers_that_no_update_of_their_own_reaches_are_left_out(detector, targets):
    expected = [group.name for group in inject_lora(copy.deepcopy(detector), 2, targets)]
    detector.backbone = nn.ModuleList([Block()])  # teachers use its features
    detector.neck = FFN(8, 16)
    detector.decoder = nn.MultiheadAttention(8, 2)  # reads its out_proj's weight
    shared = nn.Linear(8, 3)
    detector.heads = nn.ModuleList([shared, shared])
    tied = nn.Linear(8, 3)
    tied.weight = shared.weight
    detector.tied = tied
    assert [group.name for group in inject_lora(detector, 2, targets)] == expected


def test_a_heads_own_ffn_is_no_transformer_block(detector):
    """As the ``reg_ffn`` of Conditional DETR."""
    before = [group.name for group in inject_lora(copy.deepcopy(detector), 2)]
    detector.bbox_head = nn.Module()
    detector.bbox_head.reg_ffn = FFN(8, 16)
    assert [group.name for group in inject_lora(detector, 2)] == before


def test_module_without_ffn_is_refused():
    with pytest.raises(ValueError, match='no Transformer block with an mmcv FFN'):
        inject_lora(nn.Sequential(nn.Linear(2, 2)), 2)


def test_merged_equals_unmerged_and_has_no_lora_key(detector):
    keys = set(detector.state_dict())
    trained(detector)
    x = torch.randn(4, 8)
    expected = detector(x)
    merge_lora(detector)
    assert set(plain_state_dict(detector)) == keys
    plain = Detector()
    plain.load_state_dict(plain_state_dict(detector))
    torch.testing.assert_close(plain(x), expected, atol=1e-5, rtol=0)


def test_merge_refuses_all_where_one_is_broken(detector):
    trained(detector)[1].layers['encoder.layers.1.ffn.layers.1'].lora_A.data[0] = float('nan')
    before = {k: v.clone() for k, v in plain_state_dict(detector).items()}
    with pytest.raises(ValueError, match='encoder.layers.1.ffn.layers.1.lora_A'):
        merge_lora(detector)
    assert all(torch.equal(v, before[k]) for k, v in plain_state_dict(detector).items())


def test_disabled_groups_act_as_before_the_training(detector):
    x = torch.randn(4, 8)
    expected = detector(x)
    groups = trained(detector)
    with lora_disabled(groups):
        assert torch.equal(detector(x), expected)
    assert not torch.equal(detector(x), expected)


def test_group_norm_is_the_frobenius_norm_of_the_update(detector):
    group = trained(detector)[0]
    deltas = [0.5 * layer.lora_B @ layer.lora_A for layer in group.layers.values()]
    expected = sum((d**2).sum() for d in deltas)**0.5
    assert lora_groups(detector)[0].norm() == pytest.approx(expected.item(), rel=1e-6)
