"""The group-sparse penalty (group lasso) on LoRA groups, and its proximal step."""

from collections.abc import Sequence

import torch
from torch import Tensor

from gslora_det.lora import LoRAGroup

NORMS = ('joint', 'separate')


def _norm(tensors: Sequence[Tensor]) -> Tensor:
    # vector_norm has gradient 0, not NaN, where all entries are zero.
    return torch.linalg.vector_norm(torch.cat([t.flatten() for t in tensors]))


def _units(group: LoRAGroup, norm: str) -> list[list[Tensor]]:
    """The sets of matrices of a group that have a norm of their own."""
    layers = group.layers.values()
    if norm == 'joint':
        return [group.matrices()]
    if norm == 'separate':
        return [[m.lora_A for m in layers], [m.lora_B for m in layers]]
    raise ValueError(f"norm is '{norm}': set one of {', '.join(NORMS)}")


def group_sparse_loss(groups: Sequence[LoRAGroup], norm: str = 'joint') -> Tensor:
    """The structure term of GS-LoRA (arXiv 2403.11530).

    Args:
        groups (list[LoRAGroup]): One group a block, see :func:`gslora_det.lora.lora_groups`.
        norm (str): ``'joint'``, sum over groups of ``sqrt(sum ||A_i||^2 + ||B_i||^2)``
            (the authors' code), or ``'separate'``, sum over groups of
            ``||[A_1; A_2]||_F + ||[B_1; B_2]||_F`` (the paper's formula).

    Returns:
        Tensor: A scalar; its gradient at a zero group is 0.

    Raises:
        ValueError: ``norm`` is neither.
    """
    return torch.stack([_norm(unit) for group in groups
                        for unit in _units(group, norm)]).sum()


@torch.no_grad()
def group_soft_threshold_(groups: Sequence[LoRAGroup], amount: float,
                          norm: str = 'joint') -> None:
    """Shrinks every group in place: ``x <- max(0, 1 - amount/||x||) x``.

    The proximal operator of ``amount`` times :func:`group_sparse_loss`: groups become
    exactly zero.

    Args:
        groups (list[LoRAGroup]): The groups; changed in place.
        amount (float): Learning rate times the weight of the structure term.
        norm (str): As in :func:`group_sparse_loss`.
    """
    for group in groups:
        for unit in _units(group, norm):
            size = _norm(unit)
            factor = (1 - amount / size).clamp(min=0) if size > 0 else 0.0
            for matrix in unit:
                matrix *= factor
