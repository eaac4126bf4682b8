"""Wrong labels on purpose: what a forgotten object shall be taken for."""

import math
from contextlib import contextmanager
from typing import Dict, Iterator, Sequence

import torch
from mmengine.structures import InstanceData
from torch import Tensor, nn

from gslora_det.models.detr_step import Batch, QueryOutputs, class_layers, detection_terms

WAYS = ('background', 'random', 'sink')


@contextmanager
def _one_more_class(head) -> Iterator[None]:
    """Within the block, the head's loss knows one class more."""
    head.num_classes += 1
    head.cls_out_channels += 1
    try:
        yield
    finally:
        head.num_classes -= 1
        head.cls_out_channels -= 1


class Relabel:
    """Gives forgotten objects another label; their boxes stay.

    Args:
        how (str): ``'background'``: the objects are left out. ``'random'``: a retained
            class, drawn anew each time. ``'sink'``: a class that exists in training
            only, a frozen random row beside those of the class head (the authors use an
            unused one of their 91 outputs).
        retained (list[int]): The retained classes that have training data.
    """

    def __init__(self, how: str, retained: Sequence[int]) -> None:
        self.how = how
        self.retained = torch.tensor(retained)
        self.sink = None

    def prepare(self, detector: nn.Module) -> None:
        """Draws the sink's row, the same one every time."""
        if self.how != 'sink':
            return
        head = detector.bbox_head
        self.sink_class = head.num_classes
        rows = class_layers(head)[-1].weight.detach()
        row = torch.randn(rows.shape[1], generator=torch.Generator().manual_seed(0))
        self.sink = row * rows.norm(dim=1).mean().cpu() / row.norm()

    def __call__(self, batch: Batch) -> Batch:
        """The forget batch with other labels."""
        return Batch(batch.features, [self._sample(s) for s in batch.data_samples],
                     batch.images)

    def _sample(self, sample):
        true = sample.gt_instances
        if self.how == 'background':
            found = true[:0]
        else:
            labels = (torch.full_like(true.labels, self.sink_class) if self.how == 'sink'
                      else self.retained[torch.randint(len(self.retained), (len(true),))]
                      .to(true.labels))
            found = InstanceData(bboxes=true.bboxes, labels=labels)
        sample = sample.new()
        sample.gt_instances = found
        return sample

    def terms(self, head, outputs: QueryOutputs, samples: list, aux_losses: bool = False,
              prefix: str = '') -> Dict[str, Tensor]:
        """As :func:`detection_terms`, for batches with wrong labels in them."""
        if self.how != 'sink':
            return detection_terms(head, outputs, samples, aux_losses, prefix)
        # The prior of a focal loss: a score of 0.01 where the embedding says nothing.
        logit = outputs.embeddings @ self.sink.to(outputs.embeddings) - math.log(99)
        wider = QueryOutputs(torch.cat([outputs.logits, logit[..., None]], -1),
                             outputs.boxes, outputs.embeddings)
        with _one_more_class(head):
            return detection_terms(head, wider, samples, aux_losses, prefix)
