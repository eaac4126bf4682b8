"""Wrong labels on purpose: what a forgotten object shall be taken for."""

import torch
from mmengine.structures import InstanceData
from torch import Tensor, nn

from gslora_det.methods.base import Method, OriginalDetector, Part
from gslora_det.options import one_of, require
from gslora_det.readers import Batch, reader_of

WAYS = ('background', 'random', 'sink')


class Relabel(Part):
    """Gives forgotten objects another label; their boxes stay.

    Args:
        how (str): ``'background'``: the objects are left out. ``'random'``: a retained
            class, drawn anew each time. ``'sink'``: a class that exists in training
            only, a frozen random row beside those of the class head (the authors use an
            unused one of their 91 outputs).
        method (Method): Whose part this is.

    Attributes:
        sink (Tensor, optional): The sink's row, shape (dim,), for the detector's loss.
    """

    def __init__(self, how: str, method: Method) -> None:
        require(type(method).__name__, relabel=(how, one_of(*WAYS)))
        self.how = how
        self.retained = torch.tensor([c for c in method.retained if c not in method.missing])
        self.sink: Tensor | None = None
        method.embeds |= how == 'sink'

    def prepare(self, detector: nn.Module, original_detector: OriginalDetector) -> None:
        """Draws the sink's row, the same one every time."""
        if self.how != 'sink':
            return
        reader = reader_of(detector)
        self.sink_class = reader.num_classes
        rows = reader.class_layers()[-1].weight.detach()[:self.sink_class]
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
            found = InstanceData(**dict(true.items(), labels=labels))
        sample = sample.new()
        sample.gt_instances = found
        return sample
