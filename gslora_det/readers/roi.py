"""Two-stage detectors: places are regions of interest."""

import copy
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial

import torch
import torch.nn.functional as F
from mmdet.models.detectors import TwoStageDetector
from mmdet.models.layers import NormedLinear
from mmdet.models.roi_heads import BBoxHead, CascadeRoIHead, StandardRoIHead
from mmdet.structures.bbox import bbox2roi, bbox_overlaps
from torch import Tensor, nn

from gslora_det.readers.base import Reader, image_sizes, on_ignored
from gslora_det.readers.batch import Batch, join
from gslora_det.readers.odds import softmax_odds
from gslora_det.readers.reading import Losses, Matched, Reading
from gslora_det.readers.roi_sink import one_more_class
from gslora_det.readers.tap import Call, inputs_of, tapped
from gslora_det.registry import READERS

_PLACES = 100  # of an image: as many as MMDet's detectors report


@READERS.register_module()
class RoIReader(Reader):
    """Faster, Mask and Cascade R-CNN.

    Places are the RPN's best proposals in inference; losses are of those of training. A
    cascade is read as in inference: boxes move from stage to stage, logits are the mean over
    stages. The embeddings of its stages stand one after another.
    """
    head_name = 'roi_head.bbox_head'
    moving_places = True
    embeds = True

    @classmethod
    def misses(cls, detector: nn.Module) -> str | None:
        """A RoI head that was tried, and a softmax."""
        if not (isinstance(detector, TwoStageDetector) and detector.with_rpn
                and detector.with_roi_head):
            return 'an RPN and a RoI head (TwoStageDetector)'
        if type(detector.roi_head) not in (StandardRoIHead, CascadeRoIHead):
            return 'a StandardRoIHead or CascadeRoIHead, no subclass of them'
        for head in _stages(detector.roi_head.bbox_head):
            if not (isinstance(head, BBoxHead) and head.with_cls and head.with_reg):
                return 'a BBoxHead that classifies and moves boxes'
            if head.loss_cls.use_sigmoid or head.custom_cls_channels:
                return 'a softmax over the classes and the background'
            if isinstance(head.fc_cls, NormedLinear) or head.fc_cls.bias is None:
                return 'a class layer that is linear and has a bias'
        return None

    @property
    def head(self) -> nn.Module:
        """The box head, of a cascade the last."""
        return self._heads[-1]

    @property
    def _heads(self) -> list[nn.Module]:
        return _stages(self.detector.roi_head.bbox_head)

    def read(self, *batches: Batch, places: Tensor | None = None) -> list[Reading]:
        """Runs RPN and box heads, see :meth:`Reader.read`.

        Args:
            *batches (Batch): Batches of images of one size.
            places (Tensor, optional): The boxes at which each stage looks, and the class as
                which it moves them, the best by default; shape (images, places, stages, 5).
        """
        whole, logits, embeddings, looked = join(*batches), [], [], []
        boxes = self._proposals(whole) if places is None else None
        for stage, head in enumerate(self._heads):
            if places is not None:
                boxes, classes = places[:, :, stage].split([4, 1], -1)
            scores, deltas, vectors = self._look(stage, whole.features, boxes)
            if places is None:
                classes = scores[..., :-1].argmax(-1, keepdim=True)
            moved = torch.stack([
                head.regress_by_class(each, as_class[:, 0].long(), delta, sample.metainfo)
                for each, as_class, delta, sample in zip(
                    boxes, classes, deltas, whole.data_samples)])
            logits.append(scores)
            embeddings.append(vectors)
            looked.append(torch.cat([boxes, classes.to(boxes)], -1))
            boxes = moved.detach()
        parts = (sum(logits) / len(logits), moved / image_sizes(whole.data_samples, moved),
                 torch.cat(embeddings, -1), torch.stack(looked, 2))
        sizes = [len(batch) for batch in batches]
        return [Reading(scores, True, *others, batch.data_samples, batch)
                for batch, scores, *others in zip(batches, *(p.split(sizes) for p in parts))]

    @torch.no_grad()
    def _proposals(self, batch: Batch) -> Tensor:
        """The RPN's best boxes, and the whole image where there are fewer than in another."""
        found = [proposals.bboxes[:_PLACES] for proposals in self.detector.rpn_head.predict(
            batch.features, batch.data_samples, rescale=False)]
        most = max(1, *map(len, found))
        images = image_sizes(batch.data_samples, found[0]) * found[0].new_tensor([0, 0, 1, 1])
        return torch.stack([torch.cat([boxes, image.expand(most - len(boxes), 4)])
                            for boxes, image in zip(found, images)])

    def _look(self, stage: int, features: tuple[Tensor, ...], boxes: Tensor) -> list[Tensor]:
        """Logits, regression and embeddings at boxes, each of shape (images, places, ...)."""
        roi_head = self.detector.roi_head
        which = [stage] if isinstance(roi_head, CascadeRoIHead) else []
        with inputs_of(self._heads[stage].fc_cls) as vectors:
            said = roi_head._bbox_forward(*which, features, bbox2roi(list(boxes)))
        return [part.unflatten(0, boxes.shape[:2])
                for part in (said['cls_score'], said['bbox_pred'], vectors[-1])]

    def losses(self, reading: Reading, aux_losses: bool = False,
               sink: Tensor | None = None) -> Losses:
        """MMDet's loss of the RPN and all stages, the last first; see :meth:`Reader.losses`."""
        batch, heads, roi_head = reading.outputs, self._heads, self.detector.roi_head
        detector = copy.copy(self.detector)  # of the same modules
        detector.extract_feat = lambda images: batch.features
        with ExitStack() as stack:
            if sink is not None:
                masks = _stages(roi_head.mask_head) if roi_head.with_mask else []
                stack.enter_context(one_more_class(heads, masks, sink))
            stack.enter_context(tapped(self.detector.rpn_head.loss_cls, partial(
                self._reweigh_anchors, batch)))
            heard = [stack.enter_context(_heard(*stage, batch.data_samples)) for stage in zip(
                heads, _stages(roi_head.bbox_roi_extractor))]
            found = detector.loss(batch.images, batch.data_samples)
            names = ([f's{stage}.' for stage in range(len(heads))]
                     if isinstance(roi_head, CascadeRoIHead) else [''])
            # The last call: OHEM asks for losses before, to choose by them.
            matched = {name: _matched(head, calls[-1], vectors[-1]) for name, head, (
                calls, vectors) in reversed([*zip(names, heads, heard)]) if calls}
        scalars = detector.parse_losses(found)[1]  # and 'loss', their sum
        terms = {k: v for k, v in scalars.items() if 'loss' in k and k != 'loss'}
        return Losses(terms, matched)

    def _reweigh_anchors(self, batch: Batch, level: int, call: Call) -> Tensor:
        """The weights of the RPN's anchors in a level, without those on ignored objects."""
        rpn = self.detector.rpn_head
        sizes = [features.shape[-2:] for features in batch.features]
        anchors = rpn.prior_generator.grid_priors(
            sizes[:rpn.prior_generator.num_levels], device=call.logits.device)[level]
        ignored = on_ignored(anchors.expand(len(batch), -1, 4), batch.data_samples)
        if ignored is None:
            return call.weight
        return call.weight.masked_fill(ignored.flatten() & (call.target == rpn.num_classes), 0)

    @torch.no_grad()
    def labels(self, reading: Reading) -> Tensor:
        """The object's that a region of the last stage overlaps by IoU 0.5."""
        labels = []
        for boxes, sample in zip(reading.places[:, :, -1, :4], reading.samples):
            objects = sample.gt_instances
            overlaps = bbox_overlaps(boxes, objects.bboxes.to(boxes))
            overlap, best = F.pad(overlaps, (0, 1)).max(1)  # one column more: no object
            found = F.pad(objects.labels, (0, 1))[best]
            labels.append(found.masked_fill(overlap < 0.5, self.num_classes))
        return torch.stack(labels)

    def class_layers(self) -> list[nn.Module]:
        """A layer a stage."""
        return [head.fc_cls for head in self._heads]


def _stages(part: nn.Module) -> list[nn.Module]:
    return list(part) if isinstance(part, nn.ModuleList) else [part]


@contextmanager
def _heard(head: nn.Module, extractor: nn.Module, samples: Sequence
           ) -> Iterator[tuple[list[Call], list[Tensor]]]:
    """Within the block, notes the calls of a class loss and what its logits are of.

    Background on ignored objects has no weight in it.
    """
    def reweight(_: int, call: Call) -> Tensor:
        weight, rois = call.weight.clone(), regions[-1]
        for image, sample in enumerate(samples):
            here = (rois[:, 0] == image) & (call.target == head.num_classes)
            ignored = on_ignored(rois[None, here, 1:], [sample])
            if ignored is not None:
                weight[here] *= ~ignored[0]
        return weight

    with inputs_of(extractor, 1) as regions, inputs_of(head.fc_cls) as vectors, tapped(
            head.loss_cls, reweight) as calls:
        yield calls, vectors


def _matched(head: nn.Module, call: Call, vectors: Tensor) -> Matched:
    found = call.target < head.num_classes
    labels = call.target[found]
    odds = softmax_odds(call.logits[found])
    return Matched(odds.gather(1, labels[:, None])[:, 0], labels, vectors[found])
