"""Attacks without training on detectors of other families."""

import pytest
from mmengine.config import Config
from support import CONFIGS, ROOT

from gslora_det.attacks import (
    AgnosticRecall,
    EarlierLayers,
    Membership,
    OriginalHead,
    Probe,
    PrototypeHead,
)
from gslora_det.attacks.controls import targets
from gslora_det.weights import read_weights

LAYERS = {'dino_r18': 3, 'retinanet_r18': 1, 'faster-rcnn_r18': 1}


@pytest.mark.parametrize('family', LAYERS)
def test_a_head_mask_is_seen_through(make_material, family):
    model = Config.fromfile(CONFIGS / f'_base_/models/{family}_glyph80.py').model
    material = make_material(model)
    weights = read_weights(str(ROOT / f'checkpoints/{family}_glyph80.pth'))
    target = targets(['head mask'], material, weights, weights)['head mask']
    detector = material.detector(weights)
    known = material.measure(detector, material.prefix(detector), material.erased)

    curve = OriginalHead(material).run(target)
    assert len(curve) == LAYERS[family] and curve[-1] == dict(x=len(curve), **known)
    missing = EarlierLayers(material).misses(detector)
    assert missing == ('class layers of several decoder layers' if len(curve) == 1 else None)
    if family == 'retinanet_r18':
        assert PrototypeHead(material).misses(detector) == 'one embedding a place'
    else:
        point, = PrototypeHead(material).run(target, images=(5, ))
        assert point['AP_forgotten'] > 0.5 * known['AP_forgotten']
    curve = Probe(material).run(target)
    assert [point['x'] for point in curve] == list(range(4 if LAYERS[family] == 3 else 1))
    assert all(point['AUC'] > 75 for point in curve)
    assert AgnosticRecall(material).run(target)[0]['recall_of_all'] > 75
    assert 50 <= Membership(material).run(target)[0]['AUC'] <= 100
