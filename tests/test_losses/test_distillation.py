import math

import pytest
import torch

from gslora_det.losses import box_distillation_loss, hold_loss, logit_distillation_loss


def test_logit_distillation_is_a_sum_of_bernoulli_divergences():
    student, teacher = torch.randn(2, 3, 4), torch.randn(2, 3, 4)
    expected = 0.0
    for z, t in zip(student.flatten().tolist(), teacher.flatten().tolist()):
        q, p = 1 / (1 + math.exp(-z)), 1 / (1 + math.exp(-t))
        expected += p * math.log(p / q) + (1 - p) * math.log((1 - p) / (1 - q))
    found = logit_distillation_loss(student, teacher).item()
    assert found == pytest.approx(expected / 2, rel=1e-4)
    assert logit_distillation_loss(teacher, teacher).item() == pytest.approx(0, abs=1e-6)


def test_box_distillation_weighs_queries():
    student, teacher = torch.zeros(1, 2, 4), torch.zeros(1, 2, 4)
    student[0, 0] = 0.1
    student[0, 1] = 0.5
    weight = torch.tensor([[1.0, 0.5]])
    assert box_distillation_loss(student, teacher, weight).item() == pytest.approx(
        4 * 0.1 + 0.5 * 4 * 0.5)


def test_hold_counts_only_what_rose():
    before = torch.zeros(2, 3, 5)
    logits = before.clone()
    logits[0, 0, 0] = 2.0  # rose
    logits[1, 2, 4] = -7.0  # sank
    assert hold_loss(logits, before).item() == pytest.approx(4.0 / (5 * 2))
