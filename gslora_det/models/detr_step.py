"""The pieces of a DETR training step that unlearning methods are made of."""

import contextlib
from dataclasses import dataclass
from typing import Dict, Iterator, List, Optional, Sequence, Tuple, Union

import torch
from mmdet.models.detectors import DetectionTransformer
from mmdet.structures.bbox import bbox_cxcywh_to_xyxy, bbox_overlaps
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

# Logit of a query that is taken out of a loss: its score is zero in single precision.
_IGNORED_LOGIT = -50.0


@dataclass(frozen=True)
class Batch:
    """Images after backbone and neck, with their annotations.

    Attributes:
        features (tuple[Tensor]): Neck outputs, each of shape (images, dim, h, w).
        data_samples (list[DetDataSample]): Annotations and meta information.
        images (Tensor): The images themselves, shape (images, 3, H, W).
    """
    features: Tuple[Tensor, ...]
    data_samples: list
    images: Tensor

    def __len__(self) -> int:
        return len(self.data_samples)

    def pick(self, indices: Union[slice, List[int]]) -> 'Batch':
        """The batch of some of the images; a slice copies nothing."""
        chosen = range(len(self))[indices] if isinstance(indices, slice) else indices
        return Batch(tuple(level[indices] for level in self.features),
                     [self.data_samples[i] for i in chosen], self.images[indices])


def join(*batches: Batch) -> Batch:
    """One batch of all images, which are of one size."""
    return Batch(tuple(map(torch.cat, zip(*(batch.features for batch in batches)))),
                 [sample for batch in batches for sample in batch.data_samples],
                 torch.cat([batch.images for batch in batches]))


@dataclass(frozen=True)
class QueryOutputs:
    """What every query says, by decoder layer.

    Attributes:
        logits (Tensor): Shape (layers, images, queries, classes).
        boxes (Tensor): Normalised (cx, cy, w, h), shape (layers, images, queries, 4).
        embeddings (Tensor): What the class head reads, shape (layers, images, queries, dim).
        proposals (Tensor, optional): The places that the queries of a two-stage detector
            come from, shape (images, queries).
    """
    logits: Tensor
    boxes: Tensor
    embeddings: Tensor
    proposals: Optional[Tensor] = None

    def images(self, start: int, end: int) -> 'QueryOutputs':
        """The outputs of some of the images."""
        return QueryOutputs(
            *(x[:, start:end] for x in (self.logits, self.boxes, self.embeddings)),
            None if self.proposals is None else self.proposals[start:end])


class _Proposals(TorchFunctionMode):
    """Which proposals a detector picks by ``torch.topk``, or has to pick."""

    def __init__(self, given: Optional[Tensor]) -> None:
        super().__init__()
        self.picked = given

    def __torch_function__(self, function, types, args=(), kwargs=None):
        found = function(*args, **(kwargs or {}))
        if function is not torch.topk:
            return found
        if self.picked is None:
            self.picked = found.indices
        return args[0].gather(-1, self.picked), self.picked


def is_two_stage(detector: DetectionTransformer) -> bool:
    """Whether the queries are proposals of the detector's encoder."""
    return getattr(detector, 'as_two_stage', False)


def query_outputs(detector: DetectionTransformer, *batches: Batch,
                  proposals: Optional[Tensor] = None) -> List[QueryOutputs]:
    """Runs transformer and head once over all batches; one result a batch.

    The queries are those of inference: in training, DINO would add noisy objects to them.

    Args:
        detector (DetectionTransformer): The detector.
        *batches (Batch): Batches of images of one size.
        proposals (Tensor, optional): The places that the queries of a two-stage detector
            come from, where it shall not pick its own.
    """
    whole = join(*batches)
    picking = _Proposals(proposals) if is_two_stage(detector) else contextlib.nullcontext()
    training, detector.training = detector.training, False  # its parts keep training
    with picking:
        decoded = detector.forward_transformer(whole.features, whole.data_samples)
    detector.training = training
    outputs = QueryOutputs(*detector.bbox_head(decoded['hidden_states'],
                                               decoded['references']),
                           decoded['hidden_states'], getattr(picking, 'picked', None))
    ends = torch.tensor([len(batch) for batch in batches]).cumsum(0).tolist()
    return [outputs.images(end - len(batch), end) for end, batch in zip(ends, batches)]


def all_proposals(outputs: Sequence[QueryOutputs]) -> Optional[Tensor]:
    """The proposals of joined batches; None where the detector has one stage."""
    found = [part.proposals for part in outputs]
    return None if found[0] is None else torch.cat(found)


def class_layers(head) -> List[nn.Linear]:
    """What gives a head's logits: a layer a decoder layer, or one for all."""
    if hasattr(head, 'fc_cls'):
        return [head.fc_cls]
    # That of the encoder's proposals comes last.
    return list(head.cls_branches)[:-1 if head.as_two_stage else None]


@torch.no_grad()
def matched_classes(head, logits: Tensor, boxes: Tensor, samples: list) -> Tensor:
    """Matched class of every query (num_classes: none), shape (images, queries)."""
    labels = head.get_targets(list(logits), list(boxes),
                              [s.gt_instances for s in samples],
                              [s.metainfo for s in samples])[0]
    return torch.stack(labels)


@torch.no_grad()
def _on_ignored_objects(boxes: Tensor, samples: list) -> Tensor:
    """Queries whose box overlaps an ignored object by IoU 0.5, (images, queries)."""
    hits = []
    for image_boxes, sample in zip(boxes, samples):
        height, width = sample.img_shape[:2]
        pixels = bbox_cxcywh_to_xyxy(image_boxes) * image_boxes.new_tensor(
            [width, height, width, height])
        overlaps = bbox_overlaps(pixels, sample.ignored_instances.bboxes.to(pixels))
        hits.append((overlaps >= 0.5).any(1))
    return torch.stack(hits)


def detection_loss(head, outputs: QueryOutputs, samples: list, layer: int = -1
                   ) -> Tuple[Dict[str, Tensor], Tensor]:
    """The head's own loss of one decoder layer, and what it matched.

    Unmatched queries on ignored objects (crowds; other classes' objects where
    ``mixed_images='ignore'``) are left out of the classification term. Taking them out
    cannot change the matching: an assignment stays optimal when unused rows cost more.

    Args:
        head (DETRHead): The detector's head.
        outputs (QueryOutputs): The outputs of the batch.
        samples (list[DetDataSample]): The batch's annotations.
        layer (int): The decoder layer to supervise.

    Returns:
        tuple: ``loss_cls``, ``loss_bbox`` and ``loss_iou``, weighted as in the head's
        config; the matched class of every query, ``head.num_classes`` for none, shape
        (images, queries).
    """
    logits, boxes = outputs.logits[layer], outputs.boxes[layer]
    labels = matched_classes(head, logits, boxes, samples)
    if any(len(getattr(s, 'ignored_instances', ())) for s in samples):
        ignored = _on_ignored_objects(boxes, samples) & (labels == head.num_classes)
        logits = logits.masked_fill(ignored[..., None], _IGNORED_LOGIT)
    losses = head.loss_by_feat_single(logits, boxes,
                                      batch_gt_instances=[s.gt_instances for s in samples],
                                      batch_img_metas=[s.metainfo for s in samples])
    return dict(zip(('loss_cls', 'loss_bbox', 'loss_iou'), losses)), labels


def matched_logits(logits: Tensor, labels: Tensor) -> Tensor:
    """The logits of the matched (query, true class) pairs, shape (N,).

    Args:
        logits (Tensor): Shape (images, queries, classes).
        labels (Tensor): Matched classes, see :func:`detection_loss`.
    """
    matched = labels < logits.shape[-1]
    return logits[matched].gather(1, labels[matched][:, None])[:, 0]


def supervised_layers(outputs: QueryOutputs, aux_losses: bool) -> Iterator[Tuple[str, int]]:
    """Prefix and index of the decoder layers to supervise, the last one first."""
    yield '', -1
    if aux_losses:
        for layer in range(len(outputs.logits) - 1):
            yield f'd{layer}.', layer


def detection_terms(head, outputs: QueryOutputs, samples: list, aux_losses: bool = False,
                    prefix: str = '') -> Dict[str, Tensor]:
    """The head's own loss of the last decoder layer, or of all of them.

    Args:
        head (DETRHead): The detector's head.
        outputs (QueryOutputs): The outputs of the batch.
        samples (list[DetDataSample]): The batch's annotations.
        aux_losses (bool): Supervise the other layers too; their names start with
            ``d0.``, ``d1.``, … as in MMDet.
        prefix (str): Put before the names of the terms.
    """
    terms = {}
    for layer_name, layer in supervised_layers(outputs, aux_losses):
        losses, _ = detection_loss(head, outputs, samples, layer)
        terms.update({f'{layer_name}{prefix}{k}': v for k, v in losses.items()})
    return terms
