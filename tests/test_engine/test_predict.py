import json

import pytest
from mmengine.config import Config
from mmengine.runner import Runner
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from support import CONFIGS, ROOT

from gslora_det.engine.predict import predict
from gslora_det.weights import CheckpointError, load_weights

WEIGHTS = str(ROOT / 'checkpoints/deformable-detr_r18_glyph80.pth')


@pytest.fixture
def cfg(glyph80, tmp_path):
    cfg = Config.fromfile(CONFIGS / 'glyph80/ddetr_forget_80-1.py')
    cfg.val_dataloader.dataset.data_root = str(glyph80)
    cfg.val_dataloader.batch_size = 10
    cfg.val_evaluator.ann_file = str(glyph80 / 'annotations/val.json')
    cfg.work_dir = str(tmp_path)
    return cfg


def plain_ap(cfg):
    """AP of MMDet's own validation loop."""
    cfg = Config({k: v for k, v in cfg.items() if k in (
        'model', 'val_dataloader', 'val_evaluator', 'work_dir', 'default_scope')})
    runner = Runner.from_cfg(Config(dict(cfg, val_cfg=dict(type='ValLoop'))))
    load_weights(runner.model, WEIGHTS)
    return runner.val()['coco/bbox_mAP']


def test_detections_and_objects_are_those_that_mmdet_measures(cfg, glyph80):
    # Enlarged input: all boxes still come in pixels of the original image.
    cfg.val_dataloader.dataset.pipeline[1].scale = (160, 160)
    found = predict(cfg, WEIGHTS)
    coco = COCO(str(glyph80 / 'annotations/val.json'))
    assert list(found) == coco.getImgIds() and len(found) == 12
    ids = coco.getCatIds()
    results = []
    for image_id, prediction in found.items():
        assert prediction.path.endswith(coco.imgs[image_id]['file_name'])
        annotations = coco.imgToAnns[image_id]
        assert [ids[i] for i in prediction.objects.labels] == [
            a['category_id'] for a in annotations]
        for (x1, y1, x2, y2), a in zip(prediction.objects.bboxes, annotations):
            assert [x1, y1, x2 - x1, y2 - y1] == pytest.approx(a['bbox'])
        results += [
            dict(image_id=image_id, category_id=ids[label], score=float(score),
                 bbox=[x1, y1, x2 - x1, y2 - y1])
            for (x1, y1, x2, y2), score, label in zip(*prediction.detections)]
    evaluation = COCOeval(coco, coco.loadRes(results), 'bbox')
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    assert evaluation.stats[0] > .5
    # MMDet rounds to three digits.
    assert evaluation.stats[0] == pytest.approx(plain_ap(cfg), abs=6e-4)


def test_some_images_and_crowds(cfg, glyph80, capsys):
    path = glyph80 / 'annotations/val.json'
    content = json.loads(path.read_text())
    first = content['annotations'][0]
    first['iscrowd'] = 1
    crowded = glyph80.parent / 'crowded.json'
    crowded.write_text(json.dumps(content))
    cfg.val_dataloader.dataset.ann_file = str(crowded)
    image_id = first['image_id']
    found = predict(cfg, WEIGHTS, [7, image_id])
    assert sorted(found) == sorted({7, image_id})
    objects = found[image_id].objects
    total = sum(a['image_id'] == image_id for a in content['annotations'])
    assert len(objects.crowd_bboxes) == len(objects.crowd_labels) == 1
    assert len(objects.bboxes) == len(objects.labels) == total - 1
    assert 'loading annotations' not in capsys.readouterr().out


def test_bad_input_is_refused(cfg, tiny_weights):
    with pytest.raises(ValueError, match='no validation image of id 99'):
        predict(cfg, WEIGHTS, [1, 99])
    with pytest.raises(CheckpointError, match='missing: '):
        predict(cfg, tiny_weights)
