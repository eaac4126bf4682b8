import math

import pytest
import torch

from gslora_det.readers.odds import softmax_odds


def test_odds_of_a_softmax_are_those_of_its_probabilities():
    logits = torch.randn(7, 4, 6, dtype=torch.double) * 3
    p = logits.softmax(-1)[..., :5]
    assert torch.allclose(softmax_odds(logits), (p / (1 - p)).log())


def test_odds_keep_their_size_where_probabilities_end():
    """``p`` is 1 in single precision from about 17 on."""
    logits = torch.tensor([[60.0, 0.0, -50.0, 0.0]], requires_grad=True)
    odds = softmax_odds(logits)
    assert odds[0].tolist() == pytest.approx([60 - math.log(2), -60, -110], rel=1e-6)
    odds[0, 0].backward()
    assert logits.grad[0].tolist() == pytest.approx([1, -0.5, 0, -0.5], abs=1e-6)
