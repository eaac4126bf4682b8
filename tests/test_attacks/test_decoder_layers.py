"""Detections of earlier decoder layers, and objects matched by boxes alone."""

import copy

import pytest
import torch
from mmdet.registry import MODELS
from mmdet.structures.bbox import bbox_cxcywh_to_xyxy as corners
from mmdet.structures.bbox import bbox_overlaps, bbox_xyxy_to_cxcywh
from scipy.optimize import linear_sum_assignment
from support import samples

from gslora_det.attacks.decoder_layers import matched_by_boxes, num_layers, predict_at
from gslora_det.readers import Batch, reader_of
from gslora_det.weights import load_weights, read_weights


@pytest.fixture
def images():
    return torch.randn(2, 3, 64, 64), samples([[4, 0], [1]])


def build(config, weights):
    detector = MODELS.build(copy.deepcopy(config))  # which it fills in
    load_weights(detector, weights)
    return detector.eval().requires_grad_(False)


@pytest.mark.parametrize('layer', [1, 2])
def test_a_layer_detects_as_a_detector_that_ends_there(tiny_config, tiny_weights, images, layer):
    reader = reader_of(build(tiny_config, tiny_weights))
    assert num_layers(reader) == 2
    short = copy.deepcopy(tiny_config)
    short.decoder.num_layers = layer
    short = MODELS.build(short).eval()
    weights = read_weights(tiny_weights)
    short.load_state_dict({name: weights[name] for name in short.state_dict()})
    found = predict_at(reader, layer)(*copy.deepcopy(images))
    with torch.no_grad():
        expected = short.predict(*copy.deepcopy(images))
    for one, other in zip(found, expected):
        for name in ('bboxes', 'scores', 'labels'):
            torch.testing.assert_close(one.pred_instances[name], other.pred_instances[name])


def test_objects_are_matched_by_the_cost_of_boxes(tiny_config, tiny_weights, images):
    reader = reader_of(build(tiny_config, tiny_weights))
    reading, = reader.read(Batch(reader.features(images[0]), images[1], images[0]))
    labels = matched_by_boxes(reader, reading)
    expected = torch.full_like(labels, 5)
    for row, boxes, sample in zip(expected, reading.boxes, images[1]):
        objects = sample.gt_instances
        true = bbox_xyxy_to_cxcywh(objects.bboxes) / 64
        overlap = bbox_overlaps(corners(boxes) * 64, objects.bboxes, mode='giou')
        cost = 5 * torch.cdist(boxes, true, 1) - 2 * overlap  # the weights of the config
        places, which = linear_sum_assignment(cost)
        row[places] = objects.labels[which]
    assert torch.equal(labels, expected)
