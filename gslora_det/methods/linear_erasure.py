"""Linear erasure by LoRA, after which the class rows are reset."""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from itertools import groupby, islice

import torch
from mmdet.structures import DetDataSample
from mmengine.dist import all_gather_object
from torch import Tensor, nn

from gslora_det.class_rows import fresh_logit
from gslora_det.lora import LoRALinear, low_rank_regression
from gslora_det.losses import ErasureMap
from gslora_det.methods.base import Images, OriginalDetector
from gslora_det.methods.gs_lora import GSLoRA
from gslora_det.methods.head_mask import mask_classes_
from gslora_det.methods.teacher import Step, evaluating, quiet_reading
from gslora_det.options import COUNT, NOT_NEGATIVE, require
from gslora_det.readers import Losses, Reader, Reading, reader_of
from gslora_det.readers.embedding_block import EmbeddingBlock
from gslora_det.registry import METHODS


@METHODS.register_module()
class LinearErasure(GSLoRA):
    """Moves embeddings to where no linear classifier can tell the forgotten classes.

    ``L = L_GS-LoRA + erase (everywhere mean_q d + mean_f d + mean_b d + keep mean_r d)``, with d
    the squared distance of a place's embedding from where it should be: at retained objects
    where it was before the task, and elsewhere :class:`gslora_det.losses.ErasureMap` of that.
    The means are over all places, those of forgotten objects, those beside them, and those at
    retained objects.

    Several places look at an object, and one of them is matched to it. Those beside tell the
    class, too, in their own way, and a detector that is trained again would match them: so the
    map takes a class at matched places and beside them for two concepts.

    Where the embeddings are layer norms of an FFN's output, training starts from the map itself,
    as far as the hidden units can give it (:func:`gslora_det.lora.low_rank_regression`); steps of
    a gradient alone find it much less well. Afterwards the rows of the forgotten classes in the
    class head are reset: a classifier that is left would pull the class back, and one that is
    reset learns it anew from embeddings that still tell it.

    Args:
        erase (float): Weight of erasure.
        everywhere (float): Weight of all places beside those of objects: what was erased in
            earlier tasks, of which the buffers show no objects, stays erased by it.
        keep (float): Weight of the places at retained objects.
        num_images (int): Images of each branch to find the map on.
        beta (float): As of :class:`GSLoRA`; with reset rows the margin is not needed.
        **kwargs: See :class:`GSLoRA`. ``rank`` should be at least twice the number of classes
            that a task erases.
    """

    embeds = True
    resets_rows = True

    def __init__(self, erase: float = 0.5, everywhere: float = 20.0, keep: float = 5.0,
                 num_images: int = 1000, beta: float = 0.0, **kwargs) -> None:
        super().__init__(beta=beta, **kwargs)
        require('LinearErasure', erase=(erase, NOT_NEGATIVE), keep=(keep, NOT_NEGATIVE),
                everywhere=(everywhere, NOT_NEGATIVE), num_images=(num_images, COUNT))
        self.erase = erase
        self.everywhere = everywhere
        self.keep = keep
        self.num_images = num_images

    def prepare(self, detector: nn.Module, original_detector: OriginalDetector) -> None:
        """As GSLoRA, by default in the layers that the class is read off last."""
        if self.targets is None:
            names = {module: name for name, module in detector.named_modules()}
            last = reader_of(detector).last_layers()
            self.targets = [names[layer] for layer in last] or None
        super().prepare(detector, original_detector)

    @torch.no_grad()
    def before_task(self, detector: nn.Module, images: Images) -> None:
        """Finds the map on the objects of both buffers, and starts from it."""
        block = reader_of(detector).embedding_block()
        if block and not isinstance(block.layer, LoRALinear):
            block = None
        seen = [_look(detector, block, *some) for branch in ('forget', 'retain')
                for some in _together(images(branch, self.num_images))]
        seen = [each for part in all_gather_object(seen) for each in part]
        embeddings, kinds, *passed = map(torch.cat, zip(*seen))
        forgotten = torch.tensor(self.forgotten)
        concepts = kinds[:, None] == torch.cat([forgotten, ~forgotten])
        objects = kinds != reader_of(detector).num_classes
        self.map = ErasureMap.of(embeddings[objects], concepts[objects])
        if block:
            inputs, scales = passed
            wanted = (self.map(embeddings) - embeddings) * scales
            wanted[objects & ~concepts.any(1)] = 0
            block.layer.start(*low_rank_regression(inputs, wanted, block.layer.rank))

    def further_terms(self, reader: Reader, readings: Sequence[Reading],
                      losses: Sequence[Losses], step: Step) -> dict[str, Tensor]:
        """The term of erasure."""
        if not self.erase:
            return {}
        before, number = step.said_by(self.before), len(readings[0])
        matched = reader.labels(before)
        near = reader.nearby(before, matched)
        nothing = reader.num_classes
        forgotten = torch.zeros_like(matched, dtype=torch.bool)
        forgotten[:number] = near[:number] < nothing
        kept = (near < nothing) & ~forgotten
        target, block = self.map(before.embeddings), reader.embedding_block()
        if block:
            target = block.reachable(target)
        target = torch.where(kept[..., None], before.embeddings, target)
        distance = (step.student.embeddings - target).square().sum(-1)

        def mean(chosen: Tensor) -> Tensor:
            return distance[chosen].sum() / chosen.sum().clamp(min=1)

        return dict(erase_loss=self.erase * (
            self.everywhere * distance.mean() + mean(forgotten & (matched < nothing))
            + mean(forgotten & (matched == nothing)) + self.keep * mean(kept)))

    def adapter(self, detector: nn.Module) -> tuple[dict[str, Tensor], dict[str, str]]:
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


# Of the places that look at no object, so many for each that does: they should not drown it.
_OTHERS = 1 / 3
# Pixels that run at once: sixteen images of Glyph80, one of COCO.
_TOGETHER = 2**18


def _together(images: Iterable[tuple[Tensor, DetDataSample]]
              ) -> Iterator[tuple[Tensor, list[DetDataSample]]]:
    """Some images of one size at once, in order, and their annotations."""
    for (height, width), same in groupby(images, lambda each: each[0].shape[-2:]):
        while some := list(islice(same, max(1, _TOGETHER // (height * width)))):
            yield torch.stack([image for image, _ in some]), [sample for _, sample in some]


def _look(detector: nn.Module, block: EmbeddingBlock | None, images: Tensor,
          samples: list[DetDataSample]) -> list[Tensor]:
    """What a detector makes of images, at the places at objects and at some others.

    Returns:
        list[Tensor]: Embeddings; classes c of what is matched, ~c beside it, and the number of
        classes for nothing; with a block, what :meth:`Passed.layer` gives.
    """
    reader = reader_of(detector)
    with evaluating(detector):  # batch norms, too, before the first step
        batch = reader.batch(images, samples)
    with block.watched() if block else nullcontext() as passed:
        said = quiet_reading(detector, batch)
    matched = reader.labels(said)
    near = reader.nearby(said, matched)
    nothing = reader.num_classes
    kinds = torch.where((matched == nothing) & (near < nothing), ~near, matched)
    chosen = []
    for at_nothing in kinds == nothing:
        objects, others = ((at_nothing == flag).nonzero()[:, 0] for flag in (False, True))
        some = torch.randperm(len(others))[:round(_OTHERS * len(objects))]
        chosen.append(torch.cat([objects, others[some]]))
    return [torch.cat([each[places] for each, places in zip(part, chosen)]).cpu()
            for part in (said.embeddings, kinds, *(passed.layer() if block else ()))]
