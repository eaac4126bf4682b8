"""Terms that push the forgotten classes away."""

import torch.nn.functional as F
from mmdet.utils import reduce_mean
from torch import Tensor


def _mean(values: Tensor) -> Tensor:
    """Sum over the mean number of values a process, as MMDet's avg_factor.

    Averaged over the processes this is the mean of all their values, however unevenly
    they are spread; without values it is 0.
    """
    count = reduce_mean(values.new_tensor(float(len(values))))
    return values.sum() / count.clamp(min=1)


def bounded_forget_loss(loss_cls: Tensor, bound: float) -> Tensor:
    """``ReLU(bound - loss_cls)``: ascent on a loss until it reaches the bound.

    GS-LoRA (arXiv 2403.11530), the forgetting loss with BND.

    Args:
        loss_cls (Tensor): The classification loss of a forget batch, a scalar.
        bound (float): Where the ascent ends.
    """
    return F.relu(bound - loss_cls)


def positive_focal_loss(logits: Tensor, alpha: float, gamma: float) -> Tensor:
    """Focal loss of positives alone, ``mean alpha (1-p)^gamma (-log p)``.

    The positive half of the focal loss (arXiv 1708.02002), without the terms of all the
    wrong classes: ascending it lowers the true class and nothing else.

    Args:
        logits (Tensor): Log-odds of the true class at the matched places, shape (N,).
        alpha (float): Weight of positives.
        gamma (float): Focusing exponent.

    Returns:
        Tensor: A scalar; 0 where there is no matched place.
    """
    loss = alpha * (1 - logits.sigmoid())**gamma * F.softplus(-logits)
    return _mean(loss)


def margin_forget_loss(logits: Tensor, margin: float) -> Tensor:
    """``mean ReLU(z + margin)``: lowers log-odds until they are below ``-margin``.

    AP is a ranking: a class is gone when its true detections rank below false ones, so
    its log-odds must sink below those of the background.

    Args:
        logits (Tensor): Log-odds of the true class at the matched places, shape (N,).
        margin (float): Log-odds end at ``-margin`` or below.

    Returns:
        Tensor: A scalar; 0 where there is no matched place.
    """
    return _mean(F.relu(logits + margin))
