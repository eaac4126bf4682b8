import math

import pytest
import torch

from gslora_det.losses import alignment_loss, squashed_error


def cosine(a, b):
    return sum(x * y for x, y in zip(a, b)) / (math.hypot(*a) * math.hypot(*b))


def test_squashed_error_is_the_mean_of_bounded_errors():
    embeddings = torch.tensor([[1.0, 2.0], [3.0, -1.0], [0.0, 0.0]])
    reconstructed = torch.tensor([[1.0, 0.0], [3.0, -1.0], [1e6, 0.0]])
    # Mean squares 2, 0 and beyond all bounds.
    expected = (math.exp(2 / 3) + 1 + math.e) / 3
    assert squashed_error(embeddings, reconstructed).item() == pytest.approx(expected)
    assert squashed_error(embeddings[:0], reconstructed[:0]).item() == 0


def test_alignment_is_its_formula():
    r, r0, f, f0 = (torch.randn(number, 4) for number in (3, 3, 2, 2))
    rs, r0s, fs, f0s = (each.tolist() for each in (r, r0, f, f0))
    by_retain = sum(
        math.log(sum(math.exp(cosine(a, c) / 0.5) for c in f0s)) - cosine(a, b) / 0.5
        for a, b in zip(rs, r0s)) / 3
    assert alignment_loss((r, r0), (f, f0), 0.5, 'retain').item() == pytest.approx(
        by_retain, rel=1e-4)
    away = sum(math.exp((1 - cosine(a, b)) / 0.5) for a, b in zip(fs, f0s))
    by_forget = sum(math.log(math.exp(1 - cosine(a, b)) / away) for a, b in zip(rs, r0s)) / 3
    assert alignment_loss((r, r0), (f, f0), 0.5, 'forget').item() == pytest.approx(
        by_forget, rel=1e-4)


@pytest.mark.parametrize('contrast', ['retain', 'forget'])
@pytest.mark.parametrize('retained, forgotten', [(0, 2), (2, 0), (0, 0)])
def test_alignment_without_objects_is_zero_and_has_a_gradient(contrast, retained, forgotten):
    r, f = (torch.randn(number, 4, requires_grad=True) for number in (retained, forgotten))
    loss = alignment_loss((r, r.detach()), (f, f.detach()), 1.0, contrast)
    loss.backward()
    assert loss.item() == 0 and not r.grad.any() and not f.grad.any()
