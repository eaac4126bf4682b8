"""The erasure configs of other detectors: each builds, is read, and has what LoRA adapts."""

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from support import CONFIGS, ROOT

from gslora_det.checks.config import check_config
from gslora_det.class_names import labels_of
from gslora_det.class_split import TaskSequence
from gslora_det.datasets.glyph_rendering import CLASSES
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


@pytest.mark.parametrize('number, task', [(5, '80-5'), (10, '80-10x7')])
def test_oracles_lack_what_the_first_task_erases(number, task):
    cfg = Config.fromfile(CONFIGS / f'glyph80/ddetr_forget_{task}.py')
    ids = range(1, 81)
    first = TaskSequence.from_config(CLASSES, ids, **{
        key: cfg.sequence[key] for key in ('order', 'num_tasks', 'classes_per_task')})[0]
    for stage in ('crop-classifier', 'deformable-detr', 'deformable-detr_anneal'):
        name, _, rest = stage.partition('_')
        trained = Config.fromfile(CONFIGS / 'glyph80/oracles' / (
            f'{name}_without-{number}' + f'_{rest}' * bool(rest) + '.py'))
        assert trained.train_dataloader.dataset.without == list(first.forgotten)
    path, = cfg.oracles
    detector = MODELS.build(cfg.model)
    load_weights(detector, ROOT / path)  # strictly
    # Of a class without objects, a focal loss learns that nothing is one.
    bias = detector.bbox_head.cls_branches[-1].bias
    forgotten = labels_of(first.forgotten, CLASSES)
    kept = [label for label in range(80) if label not in forgotten]
    assert len(forgotten) == number
    assert bias[forgotten].max() < bias[kept].min()
