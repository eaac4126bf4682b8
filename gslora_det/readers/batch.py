"""Images after backbone and neck."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """Images after backbone and neck, with their annotations.

    Attributes:
        features (tuple[Tensor], optional): Neck outputs, each of shape (images, dim, h, w). None
            where the detector remembers what later parts make of them, see :class:`FrozenPrefix`.
        data_samples (list[DetDataSample]): Annotations and meta information.
        images (Tensor): The images themselves, shape (images, 3, H, W).
    """
    features: tuple[Tensor, ...] | None
    data_samples: list
    images: Tensor

    def __len__(self) -> int:
        return len(self.data_samples)

    def pick(self, indices: slice | list[int]) -> 'Batch':
        """The batch of some of the images; a slice copies nothing."""
        chosen = range(len(self))[indices] if isinstance(indices, slice) else indices
        levels = self.features and tuple(level[indices] for level in self.features)
        return Batch(levels, [self.data_samples[i] for i in chosen], self.images[indices])


def join(*batches: Batch) -> Batch:
    """One batch of all images, which are of one size."""
    levels = [batch.features for batch in batches]
    return Batch(levels[0] and tuple(map(torch.cat, zip(*levels))),
                 [sample for batch in batches for sample in batch.data_samples],
                 torch.cat([batch.images for batch in batches]))
