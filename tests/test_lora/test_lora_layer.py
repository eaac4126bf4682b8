import copy

import pytest
import torch
from torch import nn

from gslora_det.lora import LoRAConv2d, LoRALinear

LAYERS = {
    'linear': lambda: nn.Linear(5, 4),
    'linear without bias': lambda: nn.Linear(5, 4, bias=False),
    'conv': lambda: nn.Conv2d(5, 4, 3, padding=1),
    'pointwise': lambda: nn.Conv2d(5, 4, 1, bias=False),
    'strided': lambda: nn.Conv2d(5, 4, 3, stride=2),
    'dilated': lambda: nn.Conv2d(5, 4, 3, padding=2, dilation=2),
    'oblong': lambda: nn.Conv2d(5, 4, (1, 3), stride=(2, 1), padding=(0, 2)),
    'same': lambda: nn.Conv2d(5, 4, 3, padding='same'),
    'reflect': lambda: nn.Conv2d(5, 4, 3, padding=1, padding_mode='reflect'),
    'circular': lambda: nn.Conv2d(5, 4, (3, 5), padding=(1, 2), padding_mode='circular'),
}


def adapt(layer, rank=2, lora_alpha=3.0):
    kind = LoRALinear if isinstance(layer, nn.Linear) else LoRAConv2d
    return kind(copy.deepcopy(layer), rank, lora_alpha)


@pytest.fixture(params=LAYERS)
def plain(request):
    torch.manual_seed(0)
    return LAYERS[request.param]().requires_grad_(False)


@pytest.fixture
def x(plain):
    return torch.randn(7, 5) if isinstance(plain, nn.Linear) else torch.randn(2, 5, 9, 8)


@pytest.fixture
def trained(plain):
    layer = adapt(plain)
    nn.init.normal_(layer.lora_B)
    return layer


def update(layer):
    """s B A of the formula, for scaling 3 / 2."""
    return 3 / 2 * torch.einsum('or,ri...->oi...', layer.lora_B.flatten(1), layer.lora_A)


def test_output_is_that_of_the_weight_w_plus_s_ba(plain, trained, x):
    plain.weight += update(trained).detach()
    torch.testing.assert_close(trained(x), plain(x))
    torch.testing.assert_close(trained.delta(), update(trained))


def test_gradients_are_those_of_the_formula(plain, trained, x):
    a, b = trained.lora_A, trained.lora_B
    found = torch.autograd.grad(trained(x).square().sum(), (a, b))
    bias = () if plain.bias is None else (plain.bias,)
    output = torch.func.functional_call(plain, dict(zip(
        ('weight', 'bias'), (plain.weight + update(trained), *bias))), x)
    expected = torch.autograd.grad(output.square().sum(), (a, b))
    for found_one, expected_one in zip(found, expected):
        torch.testing.assert_close(found_one, expected_one, rtol=1e-4, atol=1e-3)


def test_starts_equal_bit_for_bit(plain, x):
    assert torch.equal(adapt(plain)(x), plain(x))


def test_merge_keeps_the_output_and_is_done_once(trained, x):
    expected = trained(x)
    for _ in range(2):
        trained.merge()
        torch.testing.assert_close(trained(x), expected, atol=1e-5, rtol=0)


def test_reset_starts_anew(plain, trained, x):
    before = trained.lora_A.clone()
    trained.reset()
    assert torch.equal(trained(x), plain(x))
    assert not torch.equal(trained.lora_A, before)


def test_disabled_acts_as_the_plain_layer(plain, trained, x):
    trained.enabled = False
    assert torch.equal(trained(x), plain(x))


def test_train_and_eval_never_merge(plain, trained):
    trained.eval()
    trained.train()
    assert torch.equal(trained.weight, plain.weight)


def test_only_lora_trains_and_keys_of_the_plain_layer_stay(plain, trained):
    assert {n for n, p in trained.named_parameters() if p.requires_grad} == {'lora_A', 'lora_B'}
    assert set(trained.state_dict()) == set(plain.state_dict()) | {'lora_A', 'lora_B'}
    trained.load_state_dict(plain.state_dict(), strict=False)


@pytest.mark.parametrize('bad', [float('nan'), float('inf')])
def test_merge_refuses_nan_and_inf_and_changes_nothing(plain, trained, bad):
    trained.lora_B.data[0, 0] = bad
    with pytest.raises(ValueError, match='NaN or Inf'):
        trained.merge()
    assert torch.equal(trained.weight, plain.weight)


def test_matrices_have_the_documented_shapes():
    layer = LoRAConv2d(nn.Conv2d(5, 4, 3), 2)
    assert layer.lora_A.shape == (2, 5, 3, 3) and layer.lora_B.shape == (4, 2, 1, 1)
    layer = LoRALinear(nn.Linear(5, 4), 2)
    assert layer.lora_A.shape == (2, 5) and layer.lora_B.shape == (4, 2)


@pytest.mark.parametrize('layer, rank, message', [
    (nn.Linear(5, 4), 0, 'rank is 0'),
    (nn.Linear(5, 4), 5, 'a layer of 5 inputs and 4 outputs takes at most 4'),
    (nn.Conv2d(2, 32, 3), 19, 'a layer of 18 inputs and 32 outputs takes at most 18'),
    (nn.Conv2d(4, 4, 3, groups=4), 1, 'a convolution of 4 groups takes no LoRA update')])
def test_what_no_update_fits_is_refused_in_one_line(layer, rank, message):
    with pytest.raises(ValueError, match=message) as error:
        adapt(layer, rank)
    assert '\n' not in str(error.value)
