"""The block that makes the embeddings, ``embedding = norms(identity + layer(inputs))``."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

from torch import Tensor, nn

from gslora_det.readers.tap import inputs_of


class EmbeddingBlock(NamedTuple):
    """The last linear layer before the embeddings, and what comes after it.

    Attributes:
        layer (nn.Linear): Its output is added to the identity.
        norms (list[nn.LayerNorm]): Run on the sum, one after another.
    """
    layer: nn.Module
    norms: list[nn.LayerNorm]

    @contextmanager
    def watched(self) -> Iterator['Passed']:
        """Within the block, notes what passes in one reading."""
        with ExitStack() as stack:
            yield Passed(self, [stack.enter_context(inputs_of(part))
                                for part in (self.layer, *self.norms)])

    def reachable(self, embeddings: Tensor) -> Tensor:
        """The embeddings nearest in direction to these that the last norm can give."""
        norm = self.norms[-1]
        return norm((embeddings - norm.bias) / norm.weight)


class Passed(NamedTuple):
    """What passed a block in one reading.

    Attributes:
        block (EmbeddingBlock): The block.
        notes (list[list[Tensor]]): The input of its layer and of each norm, call by call: the last
            is that of the embeddings, other calls of a decoder's norm of what was before them.
    """
    block: EmbeddingBlock
    notes: list[list[Tensor]]

    def layer(self) -> tuple[Tensor, Tensor]:
        """What the layer was given, and by how much its output moves an embedding.

        Returns:
            tuple[Tensor, Tensor]: The inputs, shape (images, places, in), and what a change of
            an embedding is multiplied with to have that of the output, shape (images, places,
            dim): each norm has divided by a deviation and scaled.
        """
        (inputs, ), *sums = self.notes
        scales = 1.0
        for given, norm in zip(sums, self.block.norms):
            scales = scales * given[-1].std(-1, unbiased=False, keepdim=True) / norm.weight
        return inputs, scales
