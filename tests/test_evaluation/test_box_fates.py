"""Fates on hand-made cases, and the matching behind them against pycocotools."""

import contextlib
import io

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from gslora_det.evaluation import Detections, Objects, box_fates, class_roles, fate_summary

CLASSES = ('person', 'horse', 'cat', 'dog')
PERSON, HORSE, CAT, DOG = range(4)
ROLES = class_roles(CLASSES, forgotten=['horse'])
# Shifting a box of width 12 by x leaves an IoU of (12 - x) / (12 + x).
AT = (0, 0, 12, 12)
HALF = (4, 0, 16, 12)  # IoU 1/2
LESS = (5, 0, 17, 12)  # IoU 7/17
ASIDE = (50, 0, 62, 12)


def objects(*rows, crowds=()):
    rows, crowds = (np.array(r, float).reshape(-1, 5) for r in (rows, crowds))
    return Objects(rows[:, :4], rows[:, 4].astype(int),
                   crowds[:, :4], crowds[:, 4].astype(int))


def found(*rows):
    """Rows of (box, label, score)."""
    return Detections(np.array([r[0] for r in rows], float).reshape(-1, 4),
                      np.array([r[2] for r in rows], float),
                      np.array([r[1] for r in rows], int))


def told(truth, before, after, roles=ROLES):
    return [(f.fate, f.label, f.after, f.new_label)
            for f in box_fates(truth, found(*before), found(*after), roles)]


@pytest.mark.parametrize('after, fate, detection, new_label', [
    ([], 'erased', None, None),
    ([(AT, HORSE, .3)], 'erased', None, None),  # not above the threshold
    ([(HALF, HORSE, .4)], 'survived', 0, None),
    ([(LESS, HORSE, .9)], 'erased', None, None),
    ([(AT, CAT, .5)], 'renamed', 0, CAT),
    ([(AT, CAT, .2)], 'erased', None, None),
    ([(LESS, CAT, .9)], 'erased', None, None),
    # Its own class wins over a better placed and surer other one.
    ([(AT, CAT, .9), (HALF, HORSE, .4)], 'survived', 1, None),
    # Of two new names the surer one counts.
    ([(AT, PERSON, .4), (HALF, CAT, .9)], 'renamed', 1, CAT),
])
def test_fate_of_a_forgotten_object(after, fate, detection, new_label):
    fates = told(objects((*AT, HORSE)), [(AT, HORSE, .9)], after)
    assert fates[0] == (fate, HORSE, detection, new_label)


@pytest.mark.parametrize('after, fate, detection, new_label', [
    ([(HALF, CAT, .4)], 'kept', 0, None),
    ([], 'lost', None, None),
    ([(AT, DOG, .4)], 'renamed', 0, DOG),
    ([(AT, HORSE, .4)], 'renamed', 0, HORSE),
])
def test_fate_of_a_retained_object(after, fate, detection, new_label):
    fates = told(objects((*AT, CAT)), [(AT, CAT, .9)], after)
    assert fates == [(fate, CAT, detection, new_label)]


def test_what_the_original_missed_is_neither_erased_nor_lost():
    truth = objects((*AT, HORSE), (*ASIDE, CAT))
    assert told(truth, [(AT, CAT, .9)], []) == [
        ('missed', HORSE, None, None), ('missed', CAT, None, None)]
    # Found all the same now: that is what counts.
    now = [(AT, HORSE, .9), (ASIDE, CAT, .9)]
    assert [f[0] for f in told(truth, [], now)] == ['survived', 'kept']


def test_one_detection_finds_one_object():
    truth = objects((*AT, HORSE), (*HALF, HORSE))
    both = [(AT, HORSE, .9), (HALF, HORSE, .8)]
    assert [f[0] for f in told(truth, both, both[:1])] == ['survived', 'erased']
    # Two detections on one object: no second object, and no ghost.
    assert [f[0] for f in told(objects((*AT, HORSE)), both, both)] == ['survived']


RIDER = (1, 0, 12, 12)  # IoU 11/12 with the horse


def test_rider_is_not_the_new_name_of_the_horse():
    truth = objects((*RIDER, PERSON), (*AT, HORSE))
    before = [(RIDER, PERSON, .8), (AT, HORSE, .9)]
    assert [f[0] for f in told(truth, before, before[:1])] == ['kept', 'erased']
    # Nor is a second detection of the rider.
    twice = [(RIDER, PERSON, .8), (RIDER, PERSON, .5)]
    assert [f[0] for f in told(truth, before, twice)] == ['kept', 'erased']
    # Nor is a detection at the horse's own box, which is the rider's all the same.
    assert [f[0] for f in told(truth, before, [(AT, PERSON, .9)])] == ['kept', 'erased']
    # A person that no rider explains is the horse's new name.
    beside = [(RIDER, PERSON, .8), (AT, PERSON, .5)]
    assert told(truth, before, beside)[1] == ('renamed', HORSE, 1, PERSON)
    assert told(objects((*AT, HORSE)), before, before[:1]) == [('renamed', HORSE, 0, PERSON)]


def test_ghosts_are_new_confident_and_unexplained():
    truth = objects((*AT, CAT), crowds=[(40, 0, 100, 100, PERSON)])
    cat = (AT, CAT, .9)

    def ghosts(*after, before=()):
        fates = told(truth, [cat, *before], [cat, *after])
        assert fates[0][0] == 'kept'
        return fates[1:]

    assert ghosts((ASIDE, HORSE, .5)) == [('ghost', HORSE, 1, None)]
    assert ghosts((AT, DOG, .5)) == [('ghost', DOG, 1, None)]  # a second, wrong name
    assert not ghosts((ASIDE, HORSE, .3))
    assert not ghosts((ASIDE, HORSE, .5), before=[(ASIDE, HORSE, .4)])
    assert ghosts((ASIDE, HORSE, .5), before=[(ASIDE, HORSE, .2)])
    assert not ghosts((ASIDE, PERSON, .5))  # one of the crowd


def test_summary_counts_by_role_and_new_name():
    roles = class_roles(CLASSES, forgotten=['horse'], old=['dog'])
    images = [
        (objects((*AT, HORSE), (*ASIDE, CAT)), [(AT, HORSE, .9), (ASIDE, CAT, .9)],
         [(AT, CAT, .9), (ASIDE, CAT, .9)]),
        (objects((*AT, HORSE), (*ASIDE, DOG)), [(AT, HORSE, .9)], [(AT, DOG, .9)]),
        (objects((*AT, HORSE), (*ASIDE, HORSE)), [(AT, HORSE, .9), (ASIDE, CAT, .9)], []),
    ]
    summary = fate_summary(
        (f for truth, before, after in images
         for f in box_fates(truth, found(*before), found(*after), roles)), CLASSES, roles)
    assert summary['roles'] == dict(
        forgotten=dict(renamed=2, erased=1, missed=1), old=dict(missed=1),
        retained=dict(kept=1))
    assert summary['confusion'] == dict(horse=dict(cat=1, dog=1))
    assert summary['found']['forgotten'] == dict(before=3, own_name=0, other_name=2)
    assert summary['recall'] == dict(
        forgotten=dict(objects=4, before=1, after=.5),
        old=dict(objects=1, before=0, after=0),
        retained=dict(objects=1, before=1, after=1))


def test_what_only_the_unlearned_detector_finds_was_not_found_before():
    truth = objects((*AT, CAT), (*ASIDE, CAT))
    fates = box_fates(truth, found((AT, CAT, .9)), found((ASIDE, CAT, .9)), ['retained'] * 4)
    summary = fate_summary(fates, CLASSES, ['retained'] * 4)
    assert summary['found']['retained'] == dict(before=1, own_name=0, other_name=0)


def coco_matches(truth, detections, by_class):
    """Which objects pycocotools matches at IoU 0.5, and with which detection."""
    def xywh(boxes):
        return np.c_[boxes[:, :2], boxes[:, 2:] - boxes[:, :2]].tolist()

    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = dict(
            info={}, images=[dict(id=1)], categories=[dict(id=i) for i in range(3)],
            annotations=[dict(id=i + 1, image_id=1, category_id=label, bbox=box, area=1,
                              iscrowd=0) for i, (box, label) in
                         enumerate(zip(xywh(truth.bboxes), truth.labels.tolist()))])
        coco.createIndex()
        results = coco.loadRes([
            dict(image_id=1, category_id=label, bbox=box, score=score) for box, label, score
            in zip(xywh(detections.bboxes), detections.labels.tolist(),
                   detections.scores.tolist())])
        evaluation = COCOeval(coco, results, 'bbox')
        evaluation.params.iouThrs = np.array([.5])
        evaluation.params.areaRng = [[0, 1e10]]
        evaluation.params.useCats = int(by_class)
        evaluation.evaluate()
    return {int(g) - 1: int(d) - 1 for image in evaluation.evalImgs if image
            for g, d in zip(image['gtIds'], image['gtMatches'][0]) if d}


def test_matching_is_that_of_pycocotools():
    rng = np.random.default_rng(0)
    for _ in range(20):
        corner = rng.uniform(0, 30, (52, 2))
        boxes = np.c_[corner, corner + rng.uniform(15, 30, (52, 2))]
        labels = rng.integers(0, 3, 52)
        truth = Objects(boxes[:12], labels[:12])
        detections = Detections(boxes[12:], rng.permutation(40) / 100 + .4, labels[12:])
        fates = box_fates(truth, detections, detections, ['retained'] * 3)
        own, seen = (coco_matches(truth, detections, by_class) for by_class in (True, False))
        assert {f.index: f.after for f in fates if f.fate == 'kept'} == own
        assert {f.index: f.before for f in fates if f.before is not None} == own
        assert {f.index for f in fates if f.seen == (True, True)} == set(seen)
        assert own and len(own) < 12


def test_unknown_class_is_named():
    with pytest.raises(ValueError, match="old: .*'hores'.*horse"):
        class_roles(CLASSES, ['cat'], ['hores'])
