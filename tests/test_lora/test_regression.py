import numpy as np
import pytest
import torch

from gslora_det.lora import LoRALinear, low_rank_regression


def drawn(*shape, seed):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_a_change_of_low_rank_is_found():
    inputs, update = drawn(200, 12, seed=0), drawn(7, 3, seed=1) @ drawn(3, 12, seed=2)
    a, b = low_rank_regression(inputs, inputs @ update.T, 3, ridge=1e-9)
    assert a.shape == (3, 12) and b.shape == (7, 3)
    torch.testing.assert_close(b @ a, update, rtol=1e-4, atol=1e-4)


def test_it_is_ridge_regression_cut_by_singular_values():
    """Against NumPy: least squares with as many more rows as there are weights."""
    inputs, changes = drawn(50, 6, seed=3), drawn(50, 4, seed=4)
    ridge = 0.3
    size = np.sqrt(ridge * 50 * inputs.square().mean().item())
    rows = np.r_[inputs.numpy(), size * np.eye(6)]
    whole = np.linalg.lstsq(rows, np.r_[changes.numpy(), np.zeros((6, 4))], rcond=None)[0].T
    left, sizes, right = np.linalg.svd(whole)
    a, b = low_rank_regression(inputs, changes, 2, ridge)
    np.testing.assert_allclose(b @ a, left[:, :2] * sizes[:2] @ right[:2], atol=1e-5)
    np.testing.assert_allclose(b.norm(dim=0), a.norm(dim=1), rtol=1e-5)


@pytest.mark.parametrize('rank', [2, 5])
def test_a_layer_starts_with_it(rank):
    layer = LoRALinear(torch.nn.Linear(6, 4), 4, lora_alpha=8)
    inputs, changes = drawn(50, 6, seed=5), drawn(50, 4, seed=6)
    a, b = low_rank_regression(inputs, changes, min(rank, 4))
    layer.start(a, b)
    torch.testing.assert_close(layer.delta(), b @ a)
    assert layer.lora_A.abs().min() > 0  # rows that are left over can still train
