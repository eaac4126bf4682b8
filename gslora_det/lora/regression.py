"""An update of low rank in closed form."""

import torch
from torch import Tensor


def low_rank_regression(inputs: Tensor, changes: Tensor, rank: int, ridge: float = 1e-3
                        ) -> tuple[Tensor, Tensor]:
    """The update of a linear layer that changes its outputs as wanted, cut to a rank.

    The ridge regression ``D = argmin mean |changes - D inputs|^2 + ridge v |D|^2``, v the mean
    square of an input, and of D the largest singular values.

    Args:
        inputs (Tensor): What the layer is given, shape (places, in).
        changes (Tensor): What is to be added to its outputs, shape (places, out).
        rank (int): Rank r of the update.
        ridge (float): Weight of the update's size.

    Returns:
        tuple[Tensor, Tensor]: A of shape (r, in) and B of shape (out, r), of equal sizes.
    """
    x, y = inputs.double(), changes.double()
    gram = x.T @ x / len(x)
    gram += ridge * gram.diagonal().mean() * torch.eye(len(gram), dtype=gram.dtype,
                                                       device=gram.device)
    update = torch.linalg.solve(gram, x.T @ y / len(x)).T
    left, sizes, right = torch.linalg.svd(update, full_matrices=False)
    root = sizes[:rank].sqrt()
    return (root[:, None] * right[:rank]).to(inputs), (left[:, :rank] * root).to(inputs)
