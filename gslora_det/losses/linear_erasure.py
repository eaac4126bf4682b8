"""The smallest affine change after which no linear classifier can tell a concept."""

from typing import NamedTuple

import torch
from torch import Tensor

# Directions in which embeddings hardly vary are not blown up beyond this share of the largest.
_FLATTEST = 1e-4
_NEGLIGIBLE = 1e-3  # of the largest: correlations that are rounding errors


class ErasureMap(NamedTuple):
    """``r(x) = x - M (x - mean)`` of LEACE (arXiv 2306.03819).

    With ``W = Cov(x)^(-1/2)`` and P the projection on the columns of ``W Cov(x, z)``,
    ``M = W^-1 P W``.

    Attributes:
        matrix (Tensor): M, shape (dim, dim).
        mean (Tensor): Shape (dim,).
    """
    matrix: Tensor
    mean: Tensor

    @classmethod
    def of(cls, embeddings: Tensor, concepts: Tensor) -> 'ErasureMap':
        """Finds the change for embeddings whose concepts are known.

        Args:
            embeddings (Tensor): Shape (objects, dim).
            concepts (Tensor): 1 where an object is of a concept, shape (objects, concepts).

        Raises:
            ValueError: There is no object.
        """
        if not len(embeddings):
            raise ValueError('linear erasure needs objects, and there is none in the buffers')
        x, z = embeddings.double(), concepts.double()
        mean = x.mean(0)
        x, z = x - mean, z - z.mean(0)
        values, vectors = torch.linalg.eigh(x.T @ x / len(x))
        values = values.clamp(min=max(_FLATTEST * values.max().item(), 1e-12))
        whiten, colour = ((vectors * values**power) @ vectors.T for power in (-0.5, 0.5))
        directions, sizes, _ = torch.linalg.svd(whiten @ (x.T @ z) / len(x), full_matrices=False)
        directions = directions[:, sizes > max(_NEGLIGIBLE * sizes.max().item(), 1e-12)]
        matrix = colour @ directions @ directions.T @ whiten
        return cls(matrix.to(embeddings), mean.to(embeddings))

    def __call__(self, embeddings: Tensor) -> Tensor:
        """The changed embeddings, shape (..., dim)."""
        matrix, mean = self.matrix.to(embeddings), self.mean.to(embeddings)
        return embeddings - (embeddings - mean) @ matrix.T
