"""What a detector makes of the objects in images."""

from collections.abc import Iterable, Sequence
from contextlib import ExitStack

import torch
from mmdet.structures import DetDataSample
from mmengine.dist import all_gather_object
from torch import Tensor, nn

from gslora_det.methods.teacher import evaluating, quiet_reading
from gslora_det.readers import reader_of
from gslora_det.readers.tap import inputs_of


def at_objects(detector: nn.Module, images: Iterable[tuple[Tensor, DetDataSample]],
               layers: Sequence[nn.Module] = ()) -> list[Tensor]:
    """Classes and embeddings at the places that are matched to objects, of all processes.

    Args:
        detector (nn.Module): Used in evaluation mode, one image at a time.
        images (iterable): Images of shape (3, H, W) and their annotations.
        layers (list[nn.Module]): Layers that read all places once in a reading.

    Returns:
        list[Tensor]: Classes of shape (M, ); what each of the layers is given there, shape (M,
        in); and the embeddings, shape (M, dim). On the CPU.
    """
    reader, seen = reader_of(detector), []
    for image, sample in images:
        with evaluating(detector), ExitStack() as stack:
            batch = reader.batch(image[None], [sample])
            notes = [stack.enter_context(inputs_of(layer)) for layer in layers]
            said = quiet_reading(detector, batch)
        labels = reader.labels(said)
        matched = labels < reader.num_classes
        seen.append([part[matched].cpu() for part in (
            labels, *(given for given, in notes), said.embeddings)])
    gathered = [each for part in all_gather_object(seen) for each in part]
    return [torch.cat(parts) for parts in zip(*gathered)]
