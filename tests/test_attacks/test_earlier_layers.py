"""Class layers of earlier decoder layers."""

import copy

import pytest
from mmdet.registry import MODELS

from gslora_det.attacks.earlier_layers import EarlierLayers
from gslora_det.class_rows import fresh_logit, reset_rows_
from gslora_det.readers import reader_of


def test_needs_several_layers(tiny_config):
    attack, short = EarlierLayers(None), copy.deepcopy(tiny_config)
    short.decoder.num_layers = 1
    assert attack.misses(MODELS.build(tiny_config)) is None
    assert attack.misses(MODELS.build(short)) == 'class layers of several decoder layers'


def test_finds_what_is_reset_in_the_last_layer_alone(material, original, hidden, known):
    detector = material.detector(original)
    last = reader_of(detector).class_layers()[-1]
    reset_rows_(last.weight, last.bias, material.erased, fresh_logit())
    target = type(hidden)('unlearned', detector.state_dict(), material.erased)
    first, second = EarlierLayers(material).run(target)
    assert (first['x'], second['x']) == (1, 2)
    assert second['AP_forgotten'] == pytest.approx(known['AP_forgotten'], abs=10)
    for point in EarlierLayers(material).run(hidden):  # reset in all layers
        assert point['AP_forgotten'] == 0
        assert point['AP_retained'] > 50
