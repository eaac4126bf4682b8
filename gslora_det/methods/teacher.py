"""What a frozen detector says about the images of a step, and its memory."""

from contextlib import contextmanager
from typing import Callable, Dict, Iterator, Sequence, Tuple

import torch
from torch import Tensor, nn

from gslora_det.models.detr_step import Batch, query_outputs

# Logits (images, queries, classes) and boxes (images, queries, 4) of the last layer.
Outputs = Tuple[Tensor, Tensor]


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
def last_layer(detector: nn.Module, batches: Sequence[Batch]) -> Outputs:
    """Logits and boxes of the last decoder layer, without dropout or gradients."""
    with evaluating(detector):
        outputs = query_outputs(detector, *batches)
    return (torch.cat([o.logits[-1] for o in outputs]),
            torch.cat([o.boxes[-1] for o in outputs]))


class Memory:
    """Remembers a frozen detector's outputs by image.

    Right only where an image looks the same every time, that is, where the training
    pipeline has no random augmentation.

    Args:
        run (callable): Gives the outputs for batches.
    """

    def __init__(self, run: Callable[[Sequence[Batch]], Outputs]) -> None:
        self.run = run
        self.seen: Dict[int, Outputs] = {}

    def __call__(self, batches: Sequence[Batch]) -> Outputs:
        """The outputs for all images of the batches, in order."""
        samples = [sample for batch in batches for sample in batch.data_samples]
        new = [i for i, s in enumerate(samples) if s.img_id not in self.seen]
        if new:
            features = tuple(torch.cat(level)[new]
                             for level in zip(*(b.features for b in batches)))
            logits, boxes = self.run([Batch(features, [samples[i] for i in new])])
            for row, i in enumerate(new):
                self.seen[samples[i].img_id] = (logits[row], boxes[row])
        logits, boxes = zip(*(self.seen[sample.img_id] for sample in samples))
        return torch.stack(logits), torch.stack(boxes)
