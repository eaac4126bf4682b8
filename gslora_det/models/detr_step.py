"""The pieces of a DETR training step that unlearning methods are made of."""

from dataclasses import dataclass
from typing import Dict, Iterator, List, Tuple

import torch
from mmdet.models.detectors import DetectionTransformer
from mmdet.structures.bbox import bbox_cxcywh_to_xyxy, bbox_overlaps
from torch import Tensor

# Logit of a query that is taken out of a loss: its score is zero in single precision.
_IGNORED_LOGIT = -50.0


@dataclass(frozen=True)
class Batch:
    """Images after backbone and neck, with their annotations.

    Attributes:
        features (tuple[Tensor]): Neck outputs, each of shape (images, dim, h, w).
        data_samples (list[DetDataSample]): Annotations and meta information.
    """
    features: Tuple[Tensor, ...]
    data_samples: list

    def __len__(self) -> int:
        return len(self.data_samples)


@dataclass(frozen=True)
class QueryOutputs:
    """What every query says, by decoder layer.

    Attributes:
        logits (Tensor): Shape (layers, images, queries, classes).
        boxes (Tensor): Normalised (cx, cy, w, h), shape (layers, images, queries, 4).
    """
    logits: Tensor
    boxes: Tensor

    def images(self, start: int, end: int) -> 'QueryOutputs':
        """The outputs of some of the images."""
        return QueryOutputs(self.logits[:, start:end], self.boxes[:, start:end])


def query_outputs(detector: DetectionTransformer, *batches: Batch
                  ) -> List[QueryOutputs]:
    """Runs transformer and head once over all batches; one result a batch."""
    features = tuple(map(torch.cat, zip(*(batch.features for batch in batches))))
    samples = [sample for batch in batches for sample in batch.data_samples]
    decoded = detector.forward_transformer(features, samples)
    outputs = QueryOutputs(*detector.bbox_head(decoded['hidden_states'],
                                               decoded['references']))
    ends = torch.tensor([len(batch) for batch in batches]).cumsum(0).tolist()
    return [outputs.images(end - len(batch), end) for end, batch in zip(ends, batches)]


def _targets(head, logits: Tensor, boxes: Tensor, samples: list) -> Tensor:
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
    """The head's own loss of one decoder layer, and the matched logits.

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
        config; the logits of the matched (query, true class) pairs, shape (N,).
    """
    logits, boxes = outputs.logits[layer], outputs.boxes[layer]
    with torch.no_grad():
        labels = _targets(head, logits, boxes, samples)
    matched = labels < head.num_classes
    positives = logits[matched].gather(1, labels[matched][:, None])[:, 0]
    if any(len(getattr(s, 'ignored_instances', ())) for s in samples):
        ignored = _on_ignored_objects(boxes, samples) & ~matched
        logits = logits.masked_fill(ignored[..., None], _IGNORED_LOGIT)
    losses = head.loss_by_feat_single(logits, boxes,
                                      batch_gt_instances=[s.gt_instances for s in samples],
                                      batch_img_metas=[s.metainfo for s in samples])
    return dict(zip(('loss_cls', 'loss_bbox', 'loss_iou'), losses)), positives


def supervised_layers(outputs: QueryOutputs, aux_losses: bool) -> Iterator[Tuple[str, int]]:
    """Prefix and index of the decoder layers to supervise, the last one first."""
    yield '', -1
    if aux_losses:
        for layer in range(len(outputs.logits) - 1):
            yield f'd{layer}.', layer
