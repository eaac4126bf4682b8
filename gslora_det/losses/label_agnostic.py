"""The terms of label-agnostic forgetting (LAF, Shen et al., arXiv 2404.00506)."""

import torch
import torch.nn.functional as F
from torch import Tensor

# What the alignment holds away from the original's embeddings of forgotten objects.
CONTRASTS = ('retain', 'forget')


def squashed_error(embeddings: Tensor, reconstructed: Tensor) -> Tensor:
    """``exp(e / (e + 1))``, with e the squared error of an embedding, from 1 up to Euler's e.

    Args:
        embeddings (Tensor): Shape (M, dim).
        reconstructed (Tensor): What an autoencoder makes of them, same shape.

    Returns:
        Tensor: Mean over the M; 0 where there are none. e is a mean over features: a sum, as in
        the authors' code, is so large on a layer norm's outputs that the bound hides it.
    """
    error = (embeddings - reconstructed).square().mean(-1)
    return (error / (error + 1)).exp().sum() / max(len(error), 1)


def alignment_loss(retain: tuple[Tensor, Tensor], forget: tuple[Tensor, Tensor],
                   temperature: float, contrast: str) -> Tensor:
    """Holds retained objects near the original, and something away from its forgotten ones.

    ``'retain'``: ``-mean_r log(exp(cos(r, r0) / T) / sum_f exp(cos(r, f0) / T))``;
    ``'forget'``: ``mean_r log(exp(1 - cos(r, r0)) / sum_f exp((1 - cos(f, f0)) / T))``, as in
    the authors' code. r and f are the embeddings, r0 and f0 the original's of the same objects.

    Args:
        retain (tuple[Tensor, Tensor]): Embeddings of R retained objects and the original's, each
            of shape (R, dim).
        forget (tuple[Tensor, Tensor]): Of F forgotten objects, each of shape (F, dim).
        temperature (float): T.
        contrast (str): One of :data:`CONTRASTS`.

    Returns:
        Tensor: The mean; 0 where there is no retained or no forgotten object.
    """
    (r, r0), (f, f0) = retain, forget
    if not len(r) or not len(f):
        return 0 * (r.sum() + f.sum())
    own = F.cosine_similarity(r, r0)
    if contrast == 'retain':
        others = F.cosine_similarity(r[:, None], f0[None], dim=-1)
        return (torch.logsumexp(others / temperature, 1) - own / temperature).mean()
    moved = 1 - F.cosine_similarity(f, f0)
    return (1 - own).mean() - torch.logsumexp(moved / temperature, 0)
