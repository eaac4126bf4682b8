"""Linear erasure by LoRA, after which the class rows are reset."""

import json
from typing import Dict, Sequence, Tuple

import torch
from mmengine.dist import all_gather_object
from torch import Tensor, nn

from gslora_det.losses import ErasureMap
from gslora_det.methods.base import Images
from gslora_det.methods.gs_lora import GSLoRA
from gslora_det.methods.head_mask import fresh_bias, reset_rows_
from gslora_det.methods.teacher import evaluating, last_layer
from gslora_det.models.detr_step import (
    Batch,
    QueryOutputs,
    all_proposals,
    class_layers,
    join,
    matched_classes,
)
from gslora_det.options import COUNT, NOT_NEGATIVE, require
from gslora_det.registry import METHODS


@METHODS.register_module()
class LinearErasure(GSLoRA):
    """Moves embeddings to where no linear classifier can tell the forgotten classes.

    ``L = L_GS-LoRA + erase (mean_f d + mean_r d + everywhere mean_q d)``, with d the squared
    distance of a query's embedding from :class:`gslora_det.losses.ErasureMap` of what it was
    before the task; the means are over the queries of forgotten objects, of retained ones, and
    over all. Afterwards the rows of the forgotten classes in the class head are reset: a
    classifier that is left would pull the class back, and one that is reset learns it anew from
    embeddings that still tell it.

    Args:
        erase (float): Weight of erasure.
        everywhere (float): Weight of all queries beside those of objects: what was erased in
            earlier tasks, of which the buffers show no objects, stays erased by it.
        num_images (int): Images of each branch to find the map on.
        beta (float): As of :class:`GSLoRA`; with reset rows the margin is not needed.
        **kwargs: See :class:`GSLoRA`. ``rank`` should be at least the number of classes that
            a task erases.
    """

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
        embeddings, labels = (torch.cat([part.cpu() for part in parts]) for parts in zip(*found))
        concepts = labels[:, None] == torch.tensor(self.forgotten)
        self.map = ErasureMap.of(embeddings, concepts)

    def _objects(self, detector: nn.Module, image: Tensor, sample) -> Tuple[Tensor, Tensor]:
        """Embeddings and classes of the queries that are matched to objects."""
        with evaluating(detector):  # batch norms, too, before the first step
            features = detector.extract_feat(image[None])
        said = last_layer(detector, Batch(features, [sample], image[None]))
        labels = matched_classes(detector.bbox_head, said.logits, said.boxes, [sample])
        matched = labels < detector.bbox_head.num_classes
        return said.embeddings[matched], labels[matched]

    def terms(self, head, outputs: Sequence[QueryOutputs], forget: Batch,
              retain: Batch) -> Dict[str, Tensor]:
        """The terms of GS-LoRA and that of erasure."""
        terms = super().terms(head, outputs, forget, retain)
        batch = join(forget, retain)
        before = self.before(batch, all_proposals(outputs))
        distance = (torch.cat([part.embeddings[-1] for part in outputs])
                    - self.map(before.embeddings)).square().sum(-1)
        labels = matched_classes(head, before.logits, before.boxes, batch.data_samples)
        matched = labels < head.num_classes
        of_objects = [distance[part][matched[part]] for part in (
            slice(None, len(forget)), slice(len(forget), None))]
        terms['erase_loss'] = self.erase * (
            self.everywhere * distance.mean()
            + sum(part.sum() / max(len(part), 1) for part in of_objects))
        return terms

    def adapter(self, detector: nn.Module) -> Tuple[Dict[str, Tensor], Dict[str, str]]:
        """As GSLoRA, and which rows are reset."""
        tensors, facts = super().adapter(detector)
        names = {module: name for name, module in detector.named_modules()}
        layers = [names[layer] for layer in class_layers(detector.bbox_head)]
        return tensors, dict(facts, reset_rows=json.dumps(dict(
            layers=layers, rows=self.forgotten, bias=fresh_bias())))

    def after_task(self, detector: nn.Module) -> None:
        """Folds the updates into the weights and resets the rows."""
        super().after_task(detector)
        reset_rows_(class_layers(detector.bbox_head), self.forgotten, fresh_bias())

    def state_dict(self) -> dict:
        """What the teachers said so far, and the map."""
        return dict(super().state_dict(), map=list(self.map))

    def load_state_dict(self, state: dict) -> None:
        """Restores :meth:`state_dict`."""
        state = dict(state)
        self.map = ErasureMap(*state.pop('map'))
        super().load_state_dict(state)
