"""Linear erasure by LoRA, after which the class rows are reset."""

import json
from typing import Dict, Sequence, Tuple

import torch
from mmengine.dist import all_gather_object
from torch import Tensor, nn

from gslora_det.class_rows import fresh_logit
from gslora_det.losses import ErasureMap
from gslora_det.methods.base import Images
from gslora_det.methods.gs_lora import GSLoRA
from gslora_det.methods.head_mask import mask_classes_
from gslora_det.methods.teacher import evaluating, quiet_reading
from gslora_det.options import COUNT, NOT_NEGATIVE, require
from gslora_det.readers import Batch, Losses, Reader, Reading, join, joined, reader_of
from gslora_det.registry import METHODS


@METHODS.register_module()
class LinearErasure(GSLoRA):
    """Moves embeddings to where no linear classifier can tell the forgotten classes.

    ``L = L_GS-LoRA + erase (mean_f d + mean_r d + everywhere mean_q d)``, with d the squared
    distance of a place's embedding from :class:`gslora_det.losses.ErasureMap` of what it was
    before the task; the means are over the places of forgotten objects, of retained ones, and
    over all. Afterwards the rows of the forgotten classes in the class head are reset: a
    classifier that is left would pull the class back, and one that is reset learns it anew from
    embeddings that still tell it.

    Args:
        erase (float): Weight of erasure.
        everywhere (float): Weight of all places beside those of objects: what was erased in
            earlier tasks, of which the buffers show no objects, stays erased by it.
        num_images (int): Images of each branch to find the map on.
        beta (float): As of :class:`GSLoRA`; with reset rows the margin is not needed.
        **kwargs: See :class:`GSLoRA`. ``rank`` should be at least the number of classes that
            a task erases.
    """

    embeds = True

    def __init__(self, erase: float = 0.5, everywhere: float = 20.0, num_images: int = 256,
                 beta: float = 0.0, **kwargs) -> None:
        super().__init__(beta=beta, **kwargs)
        require('LinearErasure', erase=(erase, NOT_NEGATIVE),
                everywhere=(everywhere, NOT_NEGATIVE), num_images=(num_images, COUNT))
        self.erase = erase
        self.everywhere = everywhere
        self.num_images = num_images
        self.images_measured = 2 * num_images

    @torch.no_grad()
    def before_task(self, detector: nn.Module, images: Images) -> None:
        """Finds the map on the objects of both buffers, as the detector sees them now."""
        found = [self._objects(detector, image, sample) for branch in ('forget', 'retain')
                 for image, sample in images(branch, self.num_images)]
        found = [pair for part in all_gather_object(found) for pair in part]
        embeddings, labels = map(torch.cat, zip(*found))
        concepts = labels[:, None] == torch.tensor(self.forgotten)
        self.map = ErasureMap.of(embeddings, concepts)

    def _objects(self, detector: nn.Module, image: Tensor, sample) -> Tuple[Tensor, Tensor]:
        """Embeddings and classes of the places that are matched to objects."""
        reader = reader_of(detector)
        with evaluating(detector):  # batch norms, too, before the first step
            features = reader.features(image[None])
        said = quiet_reading(detector, Batch(features, [sample], image[None]))
        labels = reader.labels(said)
        matched = labels < reader.num_classes
        return said.embeddings[matched].cpu(), labels[matched].cpu()

    def further_terms(self, reader: Reader, readings: Sequence[Reading],
                      losses: Sequence[Losses], batches: Sequence[Batch]) -> Dict[str, Tensor]:
        """The term of erasure."""
        reading, number = joined(readings), len(readings[0])
        before = self.before(join(*batches), reading.places)
        distance = (reading.embeddings - self.map(before.embeddings)).square().sum(-1)
        matched = reader.labels(before) < reader.num_classes
        of_objects = [distance[part][matched[part]]
                      for part in (slice(None, number), slice(number, None))]
        return dict(erase_loss=self.erase * (
            self.everywhere * distance.mean()
            + sum(part.sum() / max(len(part), 1) for part in of_objects)))

    def adapter(self, detector: nn.Module) -> Tuple[Dict[str, Tensor], Dict[str, str]]:
        """As GSLoRA, and which rows are reset."""
        tensors, facts = super().adapter(detector)
        names, reader = {m: name for name, m in detector.named_modules()}, reader_of(detector)
        return tensors, dict(facts, reset_rows=json.dumps(dict(
            layers=[names[layer] for layer in reader.class_layers()],
            rows=reader.rows(self.forgotten), bias=fresh_logit(),
            background=reader.background)))

    def after_task(self, detector: nn.Module) -> None:
        """Folds the updates into the weights and resets the rows."""
        super().after_task(detector)
        mask_classes_(detector, self.forgotten, fresh_logit())

    def state_dict(self) -> dict:
        """What the teachers said so far, and the map."""
        return dict(super().state_dict(), map=list(self.map))

    def load_state_dict(self, state: dict) -> None:
        """Restores :meth:`state_dict`."""
        state = dict(state)
        self.map = ErasureMap(*state.pop('map'))
        super().load_state_dict(state)
