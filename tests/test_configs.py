"""The erasure configs of other detectors: each builds, is read, and has what LoRA adapts."""

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from support import CONFIGS, ROOT

from gslora_det.checks.config import check_config
from gslora_det.lora import inject_lora
from gslora_det.readers import reader_of
from gslora_det.weights import load_weights, read_meta

READERS = {'retinanet': 'DenseReader', 'rtmdet': 'DenseReader', 'faster-rcnn': 'RoIReader',
           'detr': 'DETRReader', 'deformable-detr': 'DETRReader',
           'deformable-detr-softmax': 'DETRReader', 'dino': 'DETRReader',
           'mask-rcnn-swin': 'RoIReader', 'retinanet-swin': 'DenseReader'}


@pytest.mark.parametrize('path', sorted((CONFIGS / 'others').glob('*.py')), ids=lambda p: p.stem)
def test_others_can_be_erased_from(path):
    cfg = Config.fromfile(path)
    check_config(cfg)
    detector = MODELS.build(cfg.model)
    reader = reader_of(detector)
    assert type(reader).__name__ == READERS[path.stem.split('_')[0]]
    assert reader.num_classes == 80
    if 'glyph80' in path.stem:
        weights = ROOT / cfg.load_from
        load_weights(detector, weights)
        assert len(read_meta(weights)['dataset_meta']['classes']) == 80
        assert weights.stat().st_size < 10e6
        assert all(v.dtype == torch.float16 for v in torch.load(
            weights, weights_only=True)['state_dict'].values() if v.is_floating_point())
    assert inject_lora(detector, cfg.method.rank, cfg.method.get('targets'))
