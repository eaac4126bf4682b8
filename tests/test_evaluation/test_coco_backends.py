"""Which package matches boxes, and that it makes no difference to the numbers."""

import contextlib
import gc
import io
import json
import logging
import sys

import gslora_det  # noqa: F401  stands in for mmcv's ops before MMDet is imported

# isort: split
import numpy as np
import pytest
import torch
from mmengine.logging import MMLogger
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from gslora_det.evaluation import SplitCocoMetric
from gslora_det.evaluation.coco_backends import collector_paused
from gslora_det.evaluation.split_coco_metric import STATS

FAR = 2**53 + 1  # no floating-point number


@pytest.fixture
def truth(glyph80, tmp_path):
    """Glyph80's objects, some of them crowds or with a flag that COCOeval does not heed."""
    coco = json.loads((glyph80 / 'annotations/val.json').read_text())
    for number, annotation in enumerate(coco['annotations']):
        annotation.update(iscrowd=int(number % 7 == 0), ignore=int(number % 5 == 0))
    return write(tmp_path, coco)


def write(folder, coco):
    (folder / 'truth.json').write_text(json.dumps(coco))
    return folder / 'truth.json', coco


def detections(coco, seed=0):
    """(boxes xyxy, scores, labels) by image id; many scores are equal."""
    rng, classes = np.random.default_rng(seed), [c['id'] for c in coco['categories']]
    for image in coco['images']:
        shown = [a for a in coco['annotations'] if a['image_id'] == image['id']]
        boxes = np.array([a['bbox'] for a in shown for _ in range(3)]).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        boxes = np.maximum(boxes + rng.normal(0, 3, boxes.shape), 0)
        labels = [classes.index(a['category_id']) for a in shown for _ in range(3)]
        wrong = rng.random(len(labels)) < 0.1
        labels = np.where(wrong, rng.integers(0, len(classes), len(labels)), labels)
        yield image, boxes, rng.random(len(labels)).round(1), labels


def measured(truth, **options):
    file, coco = truth
    names = [category['name'] for category in coco['categories']]
    metric = SplitCocoMetric(ann_file=str(file), splits=dict(forgotten=names[:40]), **options)
    metric.dataset_meta = dict(classes=names)
    for image, boxes, scores, labels in detections(coco):
        metric.process({}, [dict(
            img_id=image['id'], ori_shape=(image['height'], image['width']),
            pred_instances=dict(bboxes=torch.tensor(boxes), scores=torch.tensor(scores),
                                labels=torch.tensor(labels)))])
    return metric.evaluate(len(coco['images']))


def pycocotools_stats(truth):
    """The twelve numbers, from the same boxes without any of our code."""
    file, coco = truth
    with contextlib.redirect_stdout(io.StringIO()):
        api = COCO(str(file))
        found = [dict(image_id=image['id'], category_id=coco['categories'][label]['id'],
                      score=score, bbox=[x1, y1, x2 - x1, y2 - y1])
                 for image, boxes, scores, labels in detections(coco)
                 for (x1, y1, x2, y2), score, label in zip(boxes.tolist(), scores.tolist(),
                                                           labels.tolist())]
        evaluation = COCOeval(api, api.loadRes(found), 'bbox')
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation.stats


@pytest.mark.parametrize('backend', ['pycocotools', 'faster_coco_eval'])
def test_all_numbers_are_those_of_pycocotools(truth, backend):
    pytest.importorskip(backend)
    expected = pycocotools_stats(truth)
    assert 0.1 < expected[0] < 0.9
    found = measured(truth, backend=backend, metric_items=STATS, proposal_nums=(1, 10, 100))
    for name, value in zip(STATS, expected):
        assert found[f'coco/bbox_{name}'] == pytest.approx(value, abs=1e-6), name
    assert found['coco/AP'] == pytest.approx(expected[0], abs=1e-6)


def test_splits_and_classes_are_the_same_by_either(truth):
    pytest.importorskip('faster_coco_eval')
    by_one, by_other = (measured(truth, backend=name, classwise=True)
                        for name in ('pycocotools', 'faster_coco_eval'))
    assert len(by_one) > 80 and by_one['coco/AP_forgotten'] > 0.1
    assert by_other == pytest.approx(by_one, abs=1e-6, nan_ok=True)


@pytest.fixture
def who(truth):
    """Measures; gives the name of the package that the log says has matched."""
    lines = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())

    def ask(truth=truth, **options):
        lines.clear()
        measured(truth, **options)
        said = [line for text in lines for line in text.splitlines() if 'matched by' in line]
        assert len(said) == 1
        return said[0].split()[4]

    logger = MMLogger.get_current_instance()
    logger.addHandler(handler)
    yield ask
    logger.removeHandler(handler)


def test_the_faster_is_taken_where_it_is_installed(who, monkeypatch):
    faster = pytest.importorskip('faster_coco_eval')
    calls = []
    monkeypatch.setattr(faster.COCOeval_faster, 'accumulate', lambda self, plain=(
        faster.COCOeval_faster.accumulate): calls.append(1) or plain(self))
    assert who() == who(backend='faster_coco_eval') == 'faster_coco_eval' and calls
    calls.clear()
    assert who(backend='pycocotools') == 'pycocotools' and not calls


@pytest.mark.parametrize('old', [False, True])
def test_pycocotools_serves_where_it_is_missing_or_old(who, monkeypatch, old):
    if old:
        monkeypatch.setattr(pytest.importorskip('faster_coco_eval'), '__version__', '1.4.2')
    else:
        monkeypatch.setitem(sys.modules, 'faster_coco_eval', None)
    assert who() == 'pycocotools'
    with pytest.raises(ImportError, match='pip install.* faster-coco-eval'):
        who(backend='faster_coco_eval')


def test_pycocotools_serves_where_the_faster_would_round(who, truth, tmp_path):
    coco = truth[1]
    for entry, key in [(each, 'id') for each in coco['images']] + [
            (each, 'image_id') for each in coco['annotations']]:
        entry[key] += FAR
    assert who(write(tmp_path, coco)) == 'pycocotools'


def test_pycocotools_serves_where_several_processes_are_asked_for(truth):
    assert SplitCocoMetric(ann_file=str(truth[0]), use_mp_eval=True).faster is None


def test_detections_in_images_without_annotations_are_refused(truth, tmp_path):
    file, coco = truth
    metric = SplitCocoMetric(ann_file=str(file))
    metric.dataset_meta = dict(classes=[each['name'] for each in coco['categories']])
    metric.process({}, [dict(img_id=10**6, ori_shape=(9, 9), pred_instances=dict(
        bboxes=torch.ones(1, 4), scores=torch.ones(1), labels=torch.zeros(1, dtype=int)))])
    with pytest.raises(ValueError, match='1000000.*annotation file lacks; give'):
        metric.evaluate(1)


def test_the_collector_is_as_before_whatever_happens():
    for enabled in (True, False):
        (gc.enable if enabled else gc.disable)()
        try:
            with pytest.raises(KeyError), collector_paused():
                assert not gc.isenabled()
                raise KeyError
            assert gc.isenabled() == enabled
        finally:
            gc.enable()
