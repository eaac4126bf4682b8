import pytest
import torch
from torch import nn

from gslora_det.lora import LoRALinear


def trained_layer(rank=2, lora_alpha=3.0):
    torch.manual_seed(0)
    layer = LoRALinear(nn.Linear(5, 4), rank, lora_alpha)
    nn.init.normal_(layer.lora_B)
    return layer


def test_output_is_wx_plus_b_plus_s_ba_x():
    layer = trained_layer()
    x = torch.randn(7, 5)
    expected = torch.stack([
        layer.weight @ v + layer.bias + 3.0 / 2 * layer.lora_B @ (layer.lora_A @ v) for v in x])
    torch.testing.assert_close(layer(x), expected)


def test_starts_equal_bit_for_bit():
    linear = nn.Linear(16, 8)
    x = torch.randn(3, 16)
    expected = linear(x)
    assert torch.equal(LoRALinear(linear, 4)(x), expected)


def test_merge_keeps_the_output_and_is_done_once():
    layer = trained_layer()
    x = torch.randn(7, 5)
    expected = layer(x)
    layer.merge()
    torch.testing.assert_close(layer(x), expected, atol=1e-5, rtol=0)
    layer.merge()
    torch.testing.assert_close(layer(x), expected, atol=1e-5, rtol=0)


def test_train_and_eval_never_merge():
    layer = trained_layer()
    weight = layer.weight.clone()
    layer.eval()
    layer.train()
    assert torch.equal(layer.weight, weight)


def test_only_lora_trains_and_keys_of_the_plain_layer_stay():
    layer = trained_layer()
    assert {n for n, p in layer.named_parameters() if p.requires_grad} == {'lora_A', 'lora_B'}
    assert {'weight', 'bias'} < set(layer.state_dict())


@pytest.mark.parametrize('bad', [float('nan'), float('inf')])
def test_merge_refuses_nan_and_inf_and_changes_nothing(bad):
    layer = trained_layer()
    weight = layer.weight.clone()
    layer.lora_B.data[0, 0] = bad
    with pytest.raises(ValueError, match='NaN or Inf'):
        layer.merge()
    assert torch.equal(layer.weight, weight)


def test_rank_below_one_is_refused():
    with pytest.raises(ValueError, match='rank is 0'):
        LoRALinear(nn.Linear(2, 2), 0)
