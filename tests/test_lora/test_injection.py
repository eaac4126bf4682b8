import copy

import pytest
import torch
from mmcv.cnn.bricks import ConvWS2d
from mmcv.cnn.bricks.transformer import FFN
from torch import nn
from toy import Block, Detector, trained

import gslora_det  # noqa: F401

# isort: split
from mmdet.models.layers import NormedLinear

from gslora_det.lora import (
    inject_lora,
    lora_groups,
    lora_state,
    lora_targets,
    merge_lora,
    plain_state_dict,
)


@pytest.fixture
def detector():
    torch.manual_seed(0)
    return Detector()


def test_default_targets_are_the_ffns_one_group_a_block(detector):
    names = [f'encoder.layers.{i}.ffn.layers.{j}' for i in range(2) for j in ('0.0', '1')]
    assert lora_targets(detector) == names and not lora_groups(detector)
    groups = inject_lora(detector, rank=2)
    assert [g.name for g in groups] == ['encoder.layers.0', 'encoder.layers.1']
    assert [[*g.layers] for g in groups] == [names[:2], names[2:]]
    # rank * (in + out) for 8 -> 16 and 16 -> 8, in two blocks
    assert sum(v.numel() for v in lora_state(detector).values()) == 2 * 2 * 2 * (8 + 16)


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
    detector.decoder = nn.MultiheadAttention(8, 2)  # reads its out_proj's weight
    detector.tied, detector.tie = nn.Linear(8, 3), nn.Linear(8, 3)
    detector.tie.weight = detector.tied.weight
    detector.words = nn.Embedding(3, 8)
    detector.scores = nn.Linear(8, 3)
    detector.scores.weight = detector.words.weight
    detector.grouped = nn.Conv2d(4, 4, 3, groups=2)
    detector.standardised = ConvWS2d(4, 4, 3)
    detector.normed = NormedLinear(4, 4)
    detector.spectral = nn.utils.spectral_norm(nn.Linear(4, 4))
    assert [group.name for group in inject_lora(detector, 2, targets)] == expected


def test_backbone_and_neck_are_adapted_only_where_they_are_named(detector):
    expected = [group.name for group in inject_lora(copy.deepcopy(detector), 2)]
    detector.backbone = nn.ModuleList([Block()])
    detector.neck = nn.ModuleList([Block()])
    named = inject_lora(copy.deepcopy(detector), 2, ['backbone.*', 'neck.*.ffn.*'])
    assert [(g.name, len(g.layers)) for g in named] == [('backbone.0', 3), ('neck.0', 2)]
    assert [group.name for group in inject_lora(detector, 2)] == expected


@pytest.mark.parametrize('pattern', ['first.*', 'second.*', '*.proj'])
def test_a_layer_in_several_places_is_replaced_in_all_and_merged_once(pattern):
    def build():
        module = nn.Module()
        module.first, module.second = nn.Module(), nn.Module()
        module.first.proj = module.second.proj = nn.Linear(4, 3)
        return module

    torch.manual_seed(0)
    module, plain, x = build(), build(), torch.randn(2, 4)
    plain.load_state_dict(module.state_dict())
    (group,) = inject_lora(module, 2, [pattern])
    assert list(group.layers) == ['first.proj']
    layer = module.first.proj
    assert layer is module.second.proj is group.layers['first.proj']
    nn.init.normal_(layer.lora_B)
    assert set(lora_state(module)) == {'first.proj.lora_A', 'first.proj.lora_B'}
    weight = plain.first.proj.weight + 1 / 2 * layer.lora_B @ layer.lora_A
    merge_lora(module)
    assert set(plain_state_dict(module)) == set(plain.state_dict())
    plain.load_state_dict(plain_state_dict(module))
    torch.testing.assert_close(plain.second.proj.weight, weight)
    torch.testing.assert_close(module.second.proj(x), plain.first.proj(x))


def test_adapted_layers_are_not_adapted_again(detector):
    inject_lora(detector, 2)
    state = {key: value.clone() for key, value in detector.state_dict().items()}
    names = {name for g in inject_lora(detector, 2, ['*']) for name in g.layers}
    assert {'encoder.layers.0.attention', 'head'} < names
    assert all(torch.equal(value, detector.state_dict()[key]) for key, value in state.items())


def test_no_layer_is_replaced_where_a_rank_does_not_fit(detector):
    with pytest.raises(ValueError, match='LoRA rank is 99: a layer of'):
        inject_lora(detector, 99, ['*'])
    assert not lora_groups(detector)


def test_a_heads_own_ffn_is_no_transformer_block(detector):
    """As the ``reg_ffn`` of Conditional DETR."""
    before = [group.name for group in inject_lora(copy.deepcopy(detector), 2)]
    detector.bbox_head = nn.Module()
    detector.bbox_head.reg_ffn = FFN(8, 16)
    assert [group.name for group in inject_lora(detector, 2)] == before


@pytest.mark.parametrize('layer, targets, message', [
    (nn.Linear(2, 2), None, 'Sequential has no FFN .* name layers in targets, e.g. 0'),
    (nn.ReLU(), None, 'has no Linear layer or ungrouped convolution that can be adapted'),
    (nn.Conv2d(2, 2, 3, groups=2), ['*'], 'has no Linear layer or ungrouped convolution')])
def test_module_without_anything_to_adapt_is_refused_in_one_line(layer, targets, message):
    with pytest.raises(ValueError, match=message) as error:
        inject_lora(nn.Sequential(layer), 2, targets)
    assert '\n' not in str(error.value)


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


@pytest.mark.parametrize('value', [float('nan'), 1e30])  # whose product is too large
def test_merge_refuses_all_where_one_is_broken(detector, value):
    layer = trained(detector)[1].layers['encoder.layers.1.ffn.layers.1']
    layer.lora_A.data[:] = layer.lora_B.data[:] = value
    before = {k: v.clone() for k, v in plain_state_dict(detector).items()}
    with pytest.raises(ValueError, match='encoder.layers.1.ffn.layers.1 holds NaN or Inf'):
        merge_lora(detector)
    assert all(torch.equal(v, before[k]) for k, v in plain_state_dict(detector).items())


def test_a_small_layer_takes_its_own_rank_beside_larger_ones():
    """Its update is scaled alike, so that one scaling is enough to fold them all."""
    model = nn.Sequential(nn.Linear(16, 16), nn.Linear(16, 3))
    inject_lora(model, 8, ['0', '1'], lora_alpha=4)
    assert [tuple(layer.lora_A.shape) for layer in model] == [(8, 16), (3, 16)]
    assert [layer.scaling for layer in model] == [0.5, 0.5]
    with pytest.raises(ValueError, match='LoRA rank is 17: .* takes at most 16'):
        inject_lora(nn.Sequential(nn.Linear(16, 16), nn.Linear(16, 3)), 17, ['0', '1'])
