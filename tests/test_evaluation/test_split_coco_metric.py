import json
import math
from unittest import mock

import gslora_det  # noqa: F401  stands in for mmcv's ops before MMDet is imported

# isort: split
import numpy as np
import pytest
import torch
from mmdet.evaluation import CocoMetric
from mmdet.registry import METRICS
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from gslora_det.class_split import TaskSequence
from gslora_det.engine.record import split_metrics
from gslora_det.evaluation import SplitCocoMetric, h_mean

CLASSES = ('ant', 'bee', 'cat', 'dog', 'elk')
UNLABELLED = 4
SPLITS = dict(retained=['ant', 'cat'], forgotten=['dog', 'bee'], old=['elk'])
ORIGINAL = dict(forgotten=0.9, forgotten_reference=0.95)


def random_samples(seed=0, detect=True, label=True):
    """Data samples of eight images: instances (xyxy) and predictions."""
    rng = np.random.default_rng(seed)

    def boxes(count):
        corner = rng.uniform(0, 60, (count, 2))
        return np.concatenate([corner, corner + rng.uniform(8, 120, (count, 2))], 1)

    samples = []
    for image_id in range(8):
        count = rng.integers(1, 5) if image_id and label else 0
        truth, labels = boxes(count), rng.integers(0, UNLABELLED, count)
        near = truth + rng.normal(0, 3, truth.shape)
        found = np.concatenate([near, boxes(4)]) if detect else np.zeros((0, 4))
        found_labels = np.concatenate([labels, rng.integers(0, 5, 4)])[: len(found)]
        samples.append(dict(
            img_id=image_id,
            ori_shape=(200, 200),
            instances=[
                dict(bbox=box.tolist(), bbox_label=int(label), ignore_flag=crowd)
                for box, label, crowd in zip(truth, labels, rng.integers(0, 2, count))
            ],
            pred_instances=dict(
                bboxes=torch.as_tensor(found, dtype=torch.float32),
                scores=torch.as_tensor(rng.random(len(found)), dtype=torch.float32),
                labels=torch.as_tensor(found_labels, dtype=torch.long),
            ),
        ))
    return samples


def evaluate(metric, samples, classes=CLASSES):
    metric.dataset_meta = dict(classes=classes)
    for sample in samples:
        metric.process({}, [sample])
    return metric.evaluate(len(samples))


def pycocotools_ap(samples, names, folder, reference=False):
    """AP of a COCOeval of these classes only, from the samples themselves."""
    truth, found = [], []
    for sample in samples:
        for instance in sample['instances']:
            x1, y1, x2, y2 = instance['bbox']
            truth.append(dict(
                id=len(truth) + 1, image_id=sample['img_id'],
                category_id=instance['bbox_label'], bbox=[x1, y1, x2 - x1, y2 - y1],
                area=(x2 - x1) * (y2 - y1), iscrowd=int(instance['ignore_flag']),
            ))
        for (x1, y1, x2, y2), score, label in zip(
            *(sample['pred_instances'][key].tolist()
              for key in ('bboxes', 'scores', 'labels'))
        ):
            found.append(dict(
                image_id=sample['img_id'], category_id=label, score=score,
                bbox=[x1, y1, x2 - x1, y2 - y1],
            ))
    file = folder / 'truth.json'
    file.write_text(json.dumps(dict(
        images=[dict(id=s['img_id'], width=200, height=200) for s in samples],
        categories=[dict(id=i, name=name) for i, name in enumerate(CLASSES)],
        annotations=truth,
    )))
    coco = COCO(str(file))
    coco_eval = COCOeval(coco, coco.loadRes(found), 'bbox')
    cat_ids = [CLASSES.index(name) for name in names]
    coco_eval.params.catIds = cat_ids
    if reference:
        shown = {t['image_id'] for t in truth if t['category_id'] in cat_ids}
        coco_eval.params.imgIds = sorted(shown)
    coco_eval.evaluate()
    coco_eval.accumulate()
    coco_eval.summarize()
    # COCOeval's -1 marks a class that has no box but crowds.
    return math.nan if coco_eval.stats[0] == -1 else coco_eval.stats[0]


@pytest.mark.parametrize('backend', ['pycocotools', 'faster_coco_eval'])
@pytest.mark.parametrize('seed', range(2))
def test_every_split_equals_pycocotools(seed, backend, tmp_path):
    if backend != 'pycocotools':
        pytest.importorskip(backend)
    samples = random_samples(seed)
    metric = METRICS.build(dict(
        type='SplitCocoMetric', splits=SPLITS, original=ORIGINAL, backend=backend,
        classwise=True,
    ))
    results = evaluate(metric, samples)

    def expect(key, names, reference=False):
        expected = pycocotools_ap(samples, names, tmp_path, reference)
        assert results[f'coco/{key}'] == pytest.approx(
            expected, abs=1e-12, nan_ok=True
        )

    expect('AP', CLASSES)
    expect('bbox_mAP', CLASSES)
    for name in ('retained', 'forgotten'):
        expect(f'AP_{name}', SPLITS[name])
        expect(f'AP_{name}_reference', SPLITS[name], reference=True)
    for name in CLASSES[:UNLABELLED]:
        expect(f'{name}_precision', [name])
    for key in ('AP_old', 'AP_old_reference', 'elk_precision'):
        assert math.isnan(results[f'coco/{key}'])
    for suffix in ('', '_reference'):
        assert results[f'coco/H{suffix}'] == h_mean(
            results[f'coco/AP_retained{suffix}'],
            ORIGINAL[f'forgotten{suffix}'],
            results[f'coco/AP_forgotten{suffix}'],
        )


def test_missing_classes_are_measured_by_themselves(tmp_path):
    """As the record keeps them; they also count among the retained ones."""
    split, = TaskSequence(CLASSES, [['dog']], missing=['bee', 'elk'])
    samples = random_samples(1)
    results = evaluate(
        SplitCocoMetric(splits=split.measured()), samples)
    metrics = split_metrics(results)
    for found, reference in ((metrics, False), (metrics['reference'], True)):
        for name, classes in (('missing', ['bee']), ('retained', ['ant', 'bee', 'cat'])):
            expected = pycocotools_ap(samples, classes, tmp_path, reference)
            assert found[f'AP_{name}'] == pytest.approx(expected, abs=1e-12)
        assert abs(found['AP_missing'] - found['AP_retained']) > 0.01


@pytest.mark.parametrize(
    'options',
    [
        dict(),
        dict(classwise=True),
        dict(metric_items=['mAP_75', 'AR@300', 'AR_s@1000']),
        dict(proposal_nums=(2, 100, 200), classwise=True),
        dict(metric=['bbox', 'proposal'], prefix='mine'),
    ],
)
def test_agrees_with_cocometric(options):
    samples = random_samples(3)
    expected = evaluate(CocoMetric(**options), samples)
    results = evaluate(SplitCocoMetric(splits=SPLITS, **options), samples)
    assert set(expected) < set(results)
    for key, value in expected.items():
        assert results[key] == pytest.approx(value, abs=5.001e-4, nan_ok=True), key
    prefix = options.get('prefix', 'coco')
    assert all(key.startswith(f'{prefix}/') for key in results)
    assert f'{prefix}/H' not in results


def test_annotation_file_in_another_order_and_without_a_class(tmp_path):
    samples = random_samples(1)
    metric = SplitCocoMetric(splits=SPLITS, classwise=True)
    expected = evaluate(metric, samples)

    # Ids fall while positions rise, and nothing is known of the elk.
    truth = json.loads(json.dumps(metric._coco_api.dataset))
    truth['categories'] = [dict(id=90 - i, name=CLASSES[i]) for i in range(4)]
    for annotation in truth['annotations']:
        annotation['category_id'] = 90 - annotation['category_id']
    file = tmp_path / 'truth.json'
    file.write_text(json.dumps(truth))
    for sample in samples:
        found = sample['pred_instances']
        known = found['labels'] < UNLABELLED
        sample['pred_instances'] = {key: found[key][known] for key in found}
    results = evaluate(
        SplitCocoMetric(ann_file=str(file), splits=SPLITS, classwise=True), samples
    )
    for key, value in expected.items():
        if 'elk' not in key:
            assert results[key] == pytest.approx(value, abs=1e-12, nan_ok=True), key


def test_matches_once_and_prints_nothing(capsys):
    metric = SplitCocoMetric(splits={f's{i}': [c] for i, c in enumerate(CLASSES)},
                             backend='pycocotools')
    with mock.patch.object(
        COCOeval, 'evaluate', autospec=True, side_effect=COCOeval.evaluate
    ) as evaluate_boxes, mock.patch(
        'gslora_det.evaluation.split_coco_metric.MMLogger'
    ) as logger:
        evaluate(metric, random_samples())
    assert evaluate_boxes.call_count == 1
    assert capsys.readouterr().out == ''
    (message,) = logger.get_current_instance().info.call_args.args
    assert message.count('| s') == 1 + len(CLASSES)


def test_sizes_that_are_not_asked_for_cost_nothing_and_change_nothing():
    found, calls = {}, {}
    for items in (None, ['mAP']):
        metric = SplitCocoMetric(splits=SPLITS, original=ORIGINAL, classwise=True,
                                 metric_items=items, backend='pycocotools')
        with mock.patch.object(COCOeval, 'evaluateImg', autospec=True,
                               side_effect=COCOeval.evaluateImg) as matched:
            found[items is None] = evaluate(metric, random_samples(1))
        calls[items is None] = matched.call_count
    assert calls[True] == 4 * calls[False] > 0
    assert len(found[False]) == len(found[True]) - 5
    for key, value in found[False].items():
        assert value == pytest.approx(found[True][key], abs=1e-12, nan_ok=True), key


def test_no_detection_is_zero_and_no_ground_truth_is_nan():
    splits = dict(SPLITS, nothing=[])
    results = evaluate(
        SplitCocoMetric(splits=splits, original=ORIGINAL), random_samples(detect=False)
    )
    for key in ('AP', 'AP_retained', 'AP_forgotten', 'AP_retained_reference', 'H'):
        assert results[f'coco/{key}'] == 0
    assert math.isnan(results['coco/AP_old'])
    assert math.isnan(results['coco/AP_nothing_reference'])

    for detect in (True, False):
        samples = random_samples(detect=detect, label=False)
        results = evaluate(SplitCocoMetric(splits=splits, original=ORIGINAL), samples)
        for key in ('AP', 'AP_retained', 'AP_retained_reference', 'H'):
            assert math.isnan(results[f'coco/{key}'])


def test_what_is_not_finite_finds_nothing():
    """COCOeval alone would take boxes of NaN for boxes on every object."""
    samples, empty = random_samples(), random_samples()
    for broken, none in zip(samples, empty):
        broken['pred_instances']['bboxes'][::2] = math.nan
        broken['pred_instances']['scores'][1::2] = math.nan
        none['pred_instances'] = {k: v[:0] for k, v in none['pred_instances'].items()}
    found, nothing = (
        evaluate(SplitCocoMetric(splits=SPLITS), each) for each in (samples, empty)
    )
    assert found == pytest.approx(nothing, nan_ok=True) and found['coco/AP'] == 0


def test_h_needs_the_original_of_its_protocol():
    samples = random_samples()
    results = evaluate(
        SplitCocoMetric(splits=SPLITS, original=dict(forgotten=None)), samples
    )
    assert math.isnan(results['coco/H']) and 'coco/H_reference' not in results
    results = evaluate(
        SplitCocoMetric(splits=dict(retained=['ant']), original=ORIGINAL), samples
    )
    assert 'coco/H' not in results


def test_one_iou_threshold():
    results = evaluate(SplitCocoMetric(splits=SPLITS, iou_thrs=0.5), random_samples())
    assert results['coco/bbox_mAP_50'] == results['coco/bbox_mAP'] > 0


def test_ap_counts_a_hundred_detections_an_image():
    (sample,) = random_samples(1)[1:2]
    sample['instances'] = [dict(bbox=[0, 0, 40, 40], bbox_label=0, ignore_flag=0)]
    # The right box ranks 121st, after boxes that touch nothing.
    boxes = torch.tensor([[150.0, 150, 160, 160]] * 120 + [[0.0, 0, 40, 40]])
    sample['pred_instances'] = dict(
        bboxes=boxes,
        scores=torch.linspace(1, 0.1, 121),
        labels=torch.zeros(121, dtype=torch.long),
    )
    metric = SplitCocoMetric(splits=dict(retained=['ant']), classwise=True)
    results = evaluate(metric, [sample])
    for key in ('AP', 'AP_retained', 'AP_retained_reference', 'bbox_mAP', 'ant_precision'):
        assert results[f'coco/{key}'] == 0


def test_without_a_hundred_the_most_detections_count(tmp_path):
    samples = random_samples(1)  # no image has fifty
    results = evaluate(
        SplitCocoMetric(splits=SPLITS, proposal_nums=(1, 2, 50), classwise=True), samples)
    for key, names in dict(AP=CLASSES, AP_retained=SPLITS['retained'],
                           AP_forgotten=SPLITS['forgotten'], bee_precision=['bee']).items():
        expected = pycocotools_ap(samples, names, tmp_path)
        assert results[f'coco/{key}'] == pytest.approx(expected, abs=1e-12), key


def test_format_only(tmp_path):
    metric = SplitCocoMetric(
        splits=SPLITS, format_only=True, outfile_prefix=str(tmp_path / 'found')
    )
    assert evaluate(metric, random_samples()) == {}
    assert len(json.loads((tmp_path / 'found.bbox.json').read_text())) > 8


def test_results_are_written_under_the_prefix(tmp_path):
    prefix = str(tmp_path / 'found')
    evaluate(SplitCocoMetric(outfile_prefix=prefix), random_samples())
    assert (tmp_path / 'found.bbox.json').is_file()


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(metric='proposal', splits=SPLITS), "add 'bbox'"),
        (dict(original=dict(retained=0.5)), r"\['retained'\].*forgotten"),
        (dict(backend='mine'), "'mine'.*pycocotools"),
        (dict(backend='faster_coco_eval', use_mp_eval=True), 'use_mp_eval'),
    ],
)
def test_wrong_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        SplitCocoMetric(**options)


def test_an_unknown_class_is_refused_before_anything_runs():
    metric = SplitCocoMetric(splits=dict(retained=['ant', 'dgo']))
    with pytest.raises(ValueError, match="split 'retained'.*'dgo'.*'dog'"):
        metric.dataset_meta = dict(classes=CLASSES)


def test_a_missing_backend_names_the_command(monkeypatch):
    monkeypatch.setitem(__import__('sys').modules, 'faster_coco_eval', None)
    with pytest.raises(ImportError, match='pip install faster-coco-eval'):
        SplitCocoMetric(backend='faster_coco_eval')
