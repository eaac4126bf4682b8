"""Log-odds: one scale for heads with a sigmoid a class and with a softmax over all."""

import torch
import torch.nn.functional as F
from torch import Tensor


def softmax_odds(logits: Tensor) -> Tensor:
    """``log p_c / (1 - p_c) = z_c - logsumexp of the others``, with p the softmax.

    Args:
        logits (Tensor): Of the classes and, last, of the background, shape (..., classes + 1).

    Returns:
        Tensor: Of the classes, shape (..., classes).
    """
    best = F.one_hot(logits.argmax(-1), logits.shape[-1]).bool()
    # Beside the best, p is at most 1/2: what is taken off the sum leaves most of it.
    others = torch.where(
        best, logits.masked_fill(best, -torch.inf).logsumexp(-1, keepdim=True),
        logits.logsumexp(-1, keepdim=True)
        + torch.log1p(-logits.softmax(-1).masked_fill(best, 0)))
    return (logits - others)[..., :-1]
