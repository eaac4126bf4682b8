"""What a detector says of a batch, and what its head matched."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import torch
from torch import Tensor

from gslora_det.readers.odds import softmax_odds


@dataclass(frozen=True)
class Reading:
    """What a detector says at the places where it looks for objects.

    Places are a DETR's queries, the locations and anchors of a dense head, or a box head's
    regions of interest.

    Attributes:
        logits (Tensor): Shape (images, places, classes), for a softmax one more, the background.
        softmax (bool): Whether the classes exclude each other.
        boxes (Tensor, optional): Shape (images, places, 4), on a scale on which images are of
            about size 1.
        embeddings (Tensor, optional): What the class layer reads, shape (images, places, dim).
        places (Tensor, optional): Where another detector has to look to be comparable: None
            where detectors of one config always look at the same places.
        samples (list[DetDataSample]): The images' annotations.
        outputs (Any): What the reader makes losses of.
    """
    logits: Tensor
    softmax: bool
    boxes: Tensor | None = None
    embeddings: Tensor | None = None
    places: Tensor | None = None
    samples: Sequence = ()
    outputs: Any = None

    @cached_property
    def odds(self) -> Tensor:
        """Log-odds of each class, shape (images, places, classes)."""
        return softmax_odds(self.logits) if self.softmax else self.logits

    def __len__(self) -> int:
        return len(self.logits)


def joined(readings: Sequence[Reading]) -> Reading:
    """One reading of all images, without what losses are made of."""
    def cat(name: str) -> Tensor | None:
        parts = [getattr(reading, name) for reading in readings]
        return None if parts[0] is None else torch.cat(parts)

    return Reading(cat('logits'), readings[0].softmax, cat('boxes'), cat('embeddings'),
                   cat('places'), [s for reading in readings for s in reading.samples])


class Matched(NamedTuple):
    """The places that a head matched to objects.

    Attributes:
        odds (Tensor): Log-odds of the true class, shape (M,).
        labels (Tensor): The true classes, shape (M,).
        embeddings (Tensor, optional): What the class layer reads there, shape (M, dim).
    """
    odds: Tensor
    labels: Tensor
    embeddings: Tensor | None = None


class Losses(NamedTuple):
    """A detector's own loss.

    Attributes:
        terms (dict[str, Tensor]): MMDet's terms, weighted as in the head's config.
        matched (dict[str, Matched]): What each ``loss_cls`` is of, by what stands before that
            name: nothing, or the decoder layer or stage, such as ``'d0.'`` and ``'s1.'``.
    """
    terms: dict[str, Tensor]
    matched: dict[str, Matched]


def prefixed(prefix: str, terms: dict[str, Tensor], weight: float = 1.0) -> dict[str, Tensor]:
    """Weighted terms under longer names: ``d0.loss_cls`` becomes ``d0.{prefix}loss_cls``."""
    named = {}
    for name, term in terms.items():
        layer, dot, last = name.rpartition('.')
        named[f'{layer}{dot}{prefix}{last}'] = weight * term
    return named
