"""Terms that keep a detector close to a frozen one, place by place."""

import torch.nn.functional as F
from torch import Tensor


def logit_distillation_loss(student: Tensor, teacher: Tensor,
                            temperature: float = 1.0) -> Tensor:
    """Kullback-Leibler divergence between the sigmoids of two sets of log-odds.

    Binary cross-entropy minus the teacher's entropy, so that equal log-odds give
    0. Each class is a distribution of its own, also where a softmax has them exclude each other.

    Args:
        student (Tensor): Log-odds of shape (images, places, classes).
        teacher (Tensor): Log-odds of the same shape.
        temperature (float): T: log-odds are divided by it, and the result is multiplied by
            T^2, which keeps the size of its gradient (Hinton et al., arXiv 1503.02531).

    Returns:
        Tensor: Sum over places and classes, mean over images.
    """
    student, teacher = student / temperature, teacher / temperature
    target = teacher.sigmoid()
    entropy = F.binary_cross_entropy_with_logits(teacher, target, reduction='sum')
    cross = F.binary_cross_entropy_with_logits(student, target, reduction='sum')
    return temperature**2 * (cross - entropy) / len(student)


def box_distillation_loss(student: Tensor, teacher: Tensor, weight: Tensor) -> Tensor:
    """L1 distance between two sets of boxes, weighted by place.

    Args:
        student (Tensor): Normalised boxes of shape (images, places, 4).
        teacher (Tensor): Boxes of the same shape.
        weight (Tensor): The teacher's best score among the classes that matter, shape
            (images, places).

    Returns:
        Tensor: Sum over places and coordinates, mean over images.
    """
    return ((student - teacher).abs().sum(-1) * weight).sum() / len(student)


def hold_loss(logits: Tensor, before: Tensor) -> Tensor:
    """``sum ReLU(z - z_before)^2``: what is suppressed stays suppressed.

    Args:
        logits (Tensor): Log-odds of the classes erased earlier, shape (images, places,
            classes).
        before (Tensor): The same log-odds of the detector as it was before this task.

    Returns:
        Tensor: Sum over places and classes, divided by classes times images.
    """
    return F.relu(logits - before).square().sum() / (logits.shape[0] * logits.shape[2])
