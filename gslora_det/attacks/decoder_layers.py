"""Detections of a DETR's decoder layer, and the places at which it sees objects."""

from dataclasses import replace

import torch
from mmdet.structures import DetDataSample
from torch import Tensor

from gslora_det.attacks.material import Predict
from gslora_det.readers import DETRReader, Reader, Reading


def num_layers(reader: Reader) -> int:
    """Number of decoder layers that have a class layer; 1 for other families than DETR."""
    return len(reader.class_layers()) if isinstance(reader, DETRReader) else 1


def predict_at(reader: DETRReader, layer: int) -> Predict:
    """Makes detections of what a decoder layer says, as MMDet does of the last one.

    Args:
        reader (DETRReader): Of the detector.
        layer (int): Number of the layer, the first is 1.
    """
    def predict(images: Tensor, samples: list[DetDataSample]) -> list[DetDataSample]:
        reading, = reader.read(reader.batch(images, samples))
        logits, boxes, _ = (part[:layer] for part in reading.outputs)
        return reader.detector.add_pred_to_datasample(samples, reader.head.predict_by_feat(
            logits, boxes, [sample.metainfo for sample in samples], rescale=True))

    return predict


def at_layer(reading: Reading, layer: int) -> Reading:
    """What another decoder layer of a DETR says.

    Args:
        reading (Reading): What the last one says.
        layer (int): Index of the layer.
    """
    logits, boxes, states = (part[layer] for part in reading.outputs)
    return replace(reading, logits=logits, boxes=boxes, embeddings=states)


def matched_by_boxes(reader: Reader, reading: Reading) -> Tensor:
    """As :meth:`Reader.labels`, whatever the detector says of classes.

    What an unlearned detector says of them would mislead the match.
    """
    return reader.labels(replace(reading, logits=torch.zeros_like(reading.logits)))
