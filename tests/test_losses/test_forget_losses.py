import math

import pytest
import torch

from gslora_det.losses import bounded_forget_loss, margin_forget_loss, positive_focal_loss


@pytest.mark.parametrize('value, expected', [(2.0, 13.0), (15.0, 0.0), (40.0, 0.0)])
def test_bounded(value, expected):
    assert bounded_forget_loss(torch.tensor(value), 15.0) == expected


def test_positive_focal_is_the_closed_form():
    logits = [-3.0, 0.5, 2.0]
    expected = 0.0
    for z in logits:
        p = 1 / (1 + math.exp(-z))
        expected += 0.25 * (1 - p)**2 * -math.log(p) / len(logits)
    found = positive_focal_loss(torch.tensor(logits), alpha=0.25, gamma=2.0)
    assert found.item() == pytest.approx(expected, rel=1e-6)


def test_positive_focal_is_the_positive_half_of_mmdets_focal_loss():
    from mmdet.models.losses.focal_loss import py_sigmoid_focal_loss
    logits = torch.randn(5, 1)
    expected = py_sigmoid_focal_loss(logits, torch.ones(5, 1), gamma=2.0, alpha=0.25)
    torch.testing.assert_close(positive_focal_loss(logits[:, 0], 0.25, 2.0), expected)


def test_margin():
    assert margin_forget_loss(torch.tensor([-20.0, -10.0, 1.0]), 12.0).item() == pytest.approx(
        (0 + 2 + 13) / 3)


def test_no_matched_query_gives_zero_with_a_graph():
    empty = torch.zeros(0, requires_grad=True)
    for loss in (positive_focal_loss(empty, 0.25, 2.0), margin_forget_loss(empty, 12.0)):
        assert loss.item() == 0
        loss.backward()
