"""How much the loss depends on each parameter."""

from collections.abc import Callable, Iterable

import torch
from mmdet.structures import DetDataSample
from mmengine.dist import all_reduce
from torch import Tensor, nn

from gslora_det.methods.base import trained_parameters
from gslora_det.methods.teacher import evaluating
from gslora_det.readers import Batch, reader_of


def importance(detector: nn.Module, images: Iterable[tuple[Tensor, DetDataSample]],
               loss: Callable[[Batch], Tensor], power: int = 2) -> dict[str, Tensor]:
    """Mean over images of ``|gradient| ** power``, of every parameter that trains.

    Each image is a batch of its own: with power 2 and a log-likelihood this is the
    diagonal of the empirical Fisher information. Averaged over processes.

    Args:
        detector (nn.Module): Used in evaluation mode; its weights do not change.
        images (iterable): Images of shape (3, H, W) and their annotations.
        loss (callable): The scalar of one image.
        power (int): 1 or 2.
    """
    parameters = trained_parameters(detector)
    totals = {name: torch.zeros_like(p) for name, p in parameters.items()}
    count = 0
    with evaluating(detector):
        for image, sample in images:
            features = detector.extract_feat(image[None])
            gradients = torch.autograd.grad(
                loss(Batch(features, [sample], image[None])), list(parameters.values()),
                allow_unused=True)
            for total, gradient in zip(totals.values(), gradients):
                if gradient is not None:
                    total += gradient.abs()**power
            count += 1
    for total in totals.values():
        total /= max(count, 1)
        all_reduce(total, 'mean')
    return totals


def detection_total(detector: nn.Module, batch: Batch) -> Tensor:
    """The detector's own loss on a batch, a scalar."""
    reader = reader_of(detector)
    reading, = reader.read(batch)
    return sum(reader.losses(reading).terms.values())
