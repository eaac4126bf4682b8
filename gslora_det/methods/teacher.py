"""What a frozen detector says about the images of a step, and its memory."""

from contextlib import contextmanager
from typing import Callable, Dict, Iterator, NamedTuple, Optional, Tuple

import torch
from torch import Tensor, nn

from gslora_det.models.detr_step import Batch, is_two_stage, query_outputs


class Outputs(NamedTuple):
    """What the queries say in the last layer.

    Attributes:
        logits (Tensor): Shape (images, queries, classes).
        boxes (Tensor): Shape (images, queries, 4).
        embeddings (Tensor): Shape (images, queries, dim).
    """
    logits: Tensor
    boxes: Tensor
    embeddings: Tensor


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Within the block, the module is in evaluation mode; its flags are restored."""
    training = [m for m in module.modules() if m.training]
    module.eval()
    try:
        yield
    finally:
        for m in training:
            m.training = True


@torch.no_grad()
def last_layer(detector: nn.Module, batch: Batch,
               proposals: Optional[Tensor] = None) -> Outputs:
    """What the last decoder layer says, without dropout or gradients."""
    with evaluating(detector):
        outputs, = query_outputs(detector, batch, proposals=proposals)
    return Outputs(outputs.logits[-1], outputs.boxes[-1], outputs.embeddings[-1])


class Teacher:
    """A frozen detector that later ones are compared with, query by query.

    It takes the proposals of whom it is compared with: those that a two-stage detector
    picks itself may be of other objects.

    Args:
        detector (nn.Module): The detector; it is not changed.
        share_stem (bool): Use the features of the student's backbone and neck, which are
            frozen, instead of computing them from the images.
    """

    def __init__(self, detector: nn.Module, share_stem: bool = False) -> None:
        self.detector = detector
        self.share_stem = share_stem

    @torch.no_grad()
    def features(self, batch: Batch) -> Tuple[Tensor, ...]:
        """What the teacher's own backbone and neck make of the images."""
        return self.detector.to(batch.images.device).extract_feat(batch.images)

    def __call__(self, batch: Batch, proposals: Optional[Tensor] = None) -> Outputs:
        detector = self.detector.to(batch.images.device)
        if not self.share_stem:
            batch = Batch(self.features(batch), batch.data_samples, batch.images)
        return last_layer(detector, batch, proposals)


class Memory:
    """Remembers a frozen detector's outputs by image.

    Right only where an image looks the same every time, that is, where the training
    pipeline has no random augmentation.

    Args:
        run (callable): Gives the outputs for a batch.
        detector (nn.Module): The detector that they are compared with.

    Raises:
        ValueError: It has two stages: its queries change as it trains.
    """

    def __init__(self, run: Callable[..., Outputs], detector: nn.Module) -> None:
        if is_two_stage(detector):
            raise ValueError('cache_teachers does not go with a two-stage detector, whose '
                             'queries change as it trains: leave it out')
        self.run = run
        self.seen: Dict[int, Outputs] = {}

    def __call__(self, batch: Batch, proposals: None = None) -> Outputs:
        """The outputs for all images of the batch, in order."""
        samples = batch.data_samples
        new = [i for i, s in enumerate(samples) if s.img_id not in self.seen]
        if new:
            said = self.run(batch.pick(new))
            for row, i in enumerate(new):
                self.seen[samples[i].img_id] = tuple(part[row] for part in said)
        return Outputs(*map(torch.stack, zip(*(self.seen[s.img_id] for s in samples))))
