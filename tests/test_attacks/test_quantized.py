"""Rounded weights, by hand and in a detector."""

import pytest
import torch
from torch import nn

from gslora_det.attacks.quantized import Quantized, quantized


def test_rows_are_rounded_to_steps_of_their_own():
    weight = torch.tensor([[0.7, -0.38, 0.22], [0.0, 0.0, 0.0], [-0.07, 0.012, 0.036]])
    # Four bits: 7 steps up to the largest of a row, here 0.1 and 0.01.
    torch.testing.assert_close(quantized(weight, 4), torch.tensor(
        [[0.7, -0.4, 0.2], [0.0, 0.0, 0.0], [-0.07, 0.01, 0.04]]))
    # Two bits: -1, 0 and 1 times the largest.
    torch.testing.assert_close(quantized(weight, 2), torch.tensor(
        [[0.7, -0.7, 0.0], [0.0, 0.0, 0.0], [-0.07, 0.0, 0.07]]))


@pytest.mark.parametrize('shape', [(6, 50), (6, 5, 3, 3)])
def test_channels_have_few_values_near_their_own(shape):
    weight = torch.randn(shape) * torch.logspace(-3, 3, 6).view(-1, *[1] * (len(shape) - 1))
    rounded = quantized(weight, 4)
    for before, after in zip(weight, rounded):
        step = before.abs().max() / 7
        assert len(after.unique()) <= 15
        assert (after - before).abs().max() <= step / 2 * (1 + 1e-5)
        assert torch.equal(after.abs().max(), before.abs().max())


def test_all_layers_are_rounded_and_nothing_else(material, hidden, monkeypatch):
    seen = []
    monkeypatch.setattr(material, 'measure', lambda detector, *_: seen.append(detector) or {})
    assert Quantized(material).run(hidden, bits=(3, )) == [{'x': 3}]
    layers = {f'{name}.weight' for name, module in seen[0].named_modules()
              if isinstance(module, (nn.Linear, nn.Conv2d))}
    for name, value in seen[0].state_dict().items():
        if name in layers:
            assert max(len(row.unique()) for row in value.flatten(1)) <= 7, name
        else:
            assert torch.equal(value, hidden.weights[name]), name


def test_many_bits_change_nothing_and_two_destroy(material, original, hidden, known):
    target = type(hidden)('original', original, hidden.classes)
    fine, coarse = Quantized(material).run(target, bits=(16, 2))
    assert fine['AP_forgotten'] == pytest.approx(known['AP_forgotten'], abs=1)
    assert fine['AP_retained'] == pytest.approx(known['AP_retained'], abs=1)
    assert coarse['AP_forgotten'] < 5 and coarse['AP_retained'] < 5
