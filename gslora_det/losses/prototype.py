"""The prototype term of GS-LoRA++ (arXiv 2501.09705)."""

import torch.nn.functional as F
from torch import Tensor


def prototype_divergence(embeddings: Tensor, prototypes: Tensor) -> Tensor:
    """``KL(p || q)`` of a prototype p and an embedding q, both as softmax over features.

    Args:
        embeddings (Tensor): Embeddings at the matched places, shape (N, dim).
        prototypes (Tensor): The prototype of each one's class, shape (N, dim).

    Returns:
        Tensor: Mean over the N pairs; 0 where there are none.
    """
    divergence = F.kl_div(embeddings.log_softmax(-1), prototypes.log_softmax(-1),
                          reduction='sum', log_target=True)
    return divergence / max(len(embeddings), 1)
