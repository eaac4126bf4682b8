import contextlib
import copy
import io

import gslora_det  # noqa: F401  stands in for mmcv's ops before MMDet is imported

# isort: split
import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from gslora_det.evaluation import class_ap, split_ap

CAT_IDS = [3, 5, 8, 13, 21, 34]
UNLABELLED, UNDETECTED = 21, 8
SPLITS = [[3], [8, 34], [3, 13, 21], [34, 3, 13, 5], CAT_IDS, [21], []]


def random_coco(seed, empty=False):
    """Boxes and detections with crowds, empty images, lost and invented classes."""
    rng = np.random.default_rng(seed)
    annotations, detections = [], []
    for image_id in range(1, 13):
        for _ in range(0 if image_id % 4 == 0 else rng.integers(1, 6)):
            cat_id = int(rng.choice([c for c in CAT_IDS if c != UNLABELLED]))
            box = np.concatenate([rng.uniform(0, 60, 2), rng.uniform(8, 120, 2)])
            annotations.append(dict(
                id=len(annotations) + 1, image_id=image_id, category_id=cat_id,
                bbox=box.tolist(), area=float(box[2] * box[3]),
                iscrowd=int(rng.random() < 0.15),
            ))
            if cat_id != UNDETECTED and rng.random() < 0.8:
                near = box + rng.normal(0, 3, 4)
                detections.append((image_id, cat_id, near, rng.random()))
        for _ in range(4):
            cat_id = int(rng.choice([c for c in CAT_IDS if c != UNDETECTED]))
            box = np.concatenate([rng.uniform(0, 60, 2), rng.uniform(8, 120, 2)])
            detections.append((image_id, cat_id, box, rng.random()))
    truth = COCO()
    truth.dataset = dict(
        images=[dict(id=i, width=200, height=200) for i in range(1, 13)],
        categories=[dict(id=c, name=f'class {c}') for c in CAT_IDS],
        annotations=annotations,
    )
    found = COCO()
    found.dataset = dict(truth.dataset, annotations=[] if empty else [
        dict(
            id=number, image_id=image_id, category_id=cat_id, bbox=box.tolist(),
            area=float(box[2] * box[3]), score=float(score), iscrowd=0,
        )
        for number, (image_id, cat_id, box, score) in enumerate(detections, 1)
    ])
    truth.createIndex(), found.createIndex()
    return truth, found


def evaluated(truth, found, cat_ids=None, image_ids=None, max_dets=None):
    coco_eval = COCOeval(truth, found, 'bbox')
    if cat_ids is not None:
        coco_eval.params.catIds = cat_ids
    if image_ids is not None:
        coco_eval.params.imgIds = image_ids
    if max_dets is not None:
        coco_eval.params.maxDets = max_dets
    coco_eval.evaluate()
    coco_eval.accumulate()
    coco_eval.summarize()
    return coco_eval


def pycocotools_ap(truth, found, cat_ids, protocol):
    """AP of an evaluation of these categories only, None without ground truth."""
    if not cat_ids:  # COCOeval would take an empty list for all categories.
        return None
    image_ids = None
    if protocol == 'reference':
        image_ids = sorted({i for c in cat_ids for i in truth.catToImgs.get(c, [])})
        if not image_ids:
            return None
    ap = evaluated(truth, found, cat_ids, image_ids).stats[0]
    return None if ap == -1 else ap


@pytest.fixture(autouse=True)
def quiet():
    with contextlib.redirect_stdout(io.StringIO()):
        yield


@pytest.mark.parametrize('empty', [False, True])
@pytest.mark.parametrize('seed', range(3))
def test_equals_an_evaluation_of_the_split_alone(seed, empty):
    truth, found = random_coco(seed, empty)
    coco_eval = evaluated(truth, found)
    for protocol in ('full', 'reference'):
        for cat_ids in SPLITS:
            expected = pycocotools_ap(truth, found, cat_ids, protocol)
            ap = split_ap(coco_eval, cat_ids, protocol)
            if expected is None:
                assert ap is None
            else:
                assert ap == pytest.approx(expected, abs=1e-12)


def test_the_protocols_differ_and_no_detection_is_zero():
    truth, found = random_coco(0)
    coco_eval = evaluated(truth, found)
    assert split_ap(coco_eval, [3], 'reference') > split_ap(coco_eval, [3])
    assert split_ap(coco_eval, [UNDETECTED]) == 0
    assert split_ap(coco_eval, [UNLABELLED]) is None


def test_an_image_with_only_a_crowd_counts_as_showing_the_class():
    truth, found = random_coco(0)
    for annotation in truth.dataset['annotations']:
        annotation['iscrowd'] = int(annotation['image_id'] % 2)
    coco_eval = evaluated(truth, found)
    expected = pycocotools_ap(truth, found, [3, 5], 'reference')
    assert split_ap(coco_eval, [3, 5], 'reference') == pytest.approx(
        expected, abs=1e-12
    )


def test_class_ap():
    truth, found = random_coco(1)
    aps = class_ap(evaluated(truth, found))
    assert list(aps) == CAT_IDS
    assert aps == {c: pycocotools_ap(truth, found, [c], 'full') for c in CAT_IDS}


@pytest.mark.parametrize('protocol', ['full', 'reference'])
def test_max_dets_selects_among_the_evaluated_ones(protocol):
    truth, found = random_coco(2)
    image_ids = None
    if protocol == 'reference':
        image_ids = sorted({i for c in (3, 5) for i in truth.catToImgs[c]})
    wide = evaluated(truth, found, max_dets=[1, 2, 100])
    last = evaluated(truth, found, [3, 5], image_ids, max_dets=[1, 1, 1])
    precision = last.eval['precision'][:, :, :, 0, -1]
    ap = split_ap(wide, [3, 5], protocol, max_dets=1)
    assert ap == pytest.approx(precision.mean(), abs=1e-12)
    assert ap != split_ap(wide, [3, 5], protocol)
    if protocol == 'full':
        assert class_ap(wide, 1)[5] == pytest.approx(precision[:, :, 1].mean())


def test_the_evaluation_stays_as_it_is():
    coco_eval = evaluated(*random_coco(0))
    params = copy.deepcopy(vars(coco_eval.params))
    matches = list(coco_eval.evalImgs)
    results = {key: coco_eval.eval[key].copy() for key in ('precision', 'recall')}
    split_ap(coco_eval, [3, 8], 'reference')
    np.testing.assert_equal(vars(coco_eval.params), params)
    assert all(a is b for a, b in zip(matches, coco_eval.evalImgs))
    assert len(matches) == len(coco_eval.evalImgs)
    np.testing.assert_equal({key: coco_eval.eval[key] for key in results}, results)


def test_wrong_arguments_are_refused():
    coco_eval = evaluated(*random_coco(0))
    with pytest.raises(ValueError, match="'half'.*'full'"):
        split_ap(coco_eval, [3], 'half')
    with pytest.raises(ValueError, match=r'\[4\] were not evaluated'):
        split_ap(coco_eval, [3, 4])
    for protocol in ('full', 'reference'):
        with pytest.raises(ValueError, match='max_dets 7'):
            split_ap(coco_eval, [3], protocol, max_dets=7)
