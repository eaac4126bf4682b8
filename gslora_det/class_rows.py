"""The rows of a class layer, as those of a class that was never learned."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor


def fresh_logit(prior: float = 0.01) -> float:
    """The logit by which a fresh focal-loss head gives this score to everything."""
    return -math.log((1 - prior) / prior)


@torch.no_grad()
def reset_rows_(weight: Tensor, bias: Tensor, rows: Sequence[int], logit: float,
                background: int | None = None) -> None:
    """Resets rows in place: they say the same of everything.

    Args:
        weight (Tensor): Shape (rows, ...).
        bias (Tensor): Shape (rows,).
        rows (list[int]): Which to reset.
        logit (float): What they say.
        background (int, optional): The row of the background in a layer before a softmax, where
            a logit has no meaning of its own: the logit is added to the background's.
    """
    weight[rows] = 0 if background is None else weight[background].clone()
    bias[rows] = logit + (0 if background is None else bias[background].item())
