"""One matching for every threshold, against pycocotools run anew at each."""

import contextlib
import io

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from gslora_det.evaluation import (
    ClassScores,
    ComparedImage,
    Detections,
    Objects,
    box_fates,
    class_scores,
    found_above,
    found_again,
    precision,
    same_precision,
)
from gslora_det.evaluation.matching import above, greedy, match

THRESHOLDS = (0.0, 0.1, 0.3, 0.45, 0.6, 0.9)
ROLES = ('retained', 'forgotten', 'old')


def random_image(rng):
    """Objects, crowds among them, and what two detectors find, no two scores alike."""
    def boxes(number):
        corner = rng.uniform(0, 30, (number, 2))
        return np.c_[corner, corner + rng.uniform(12, 30, (number, 2))]

    objects = Objects(boxes(9), rng.integers(0, 3, 9), boxes(2), rng.integers(0, 3, 2))
    return objects, [Detections(boxes(40), rng.uniform(0, 1, 40), rng.integers(0, 3, 40))
                     for _ in range(2)]


@pytest.fixture(scope='module')
def images():
    rng = np.random.default_rng(1)
    return [random_image(rng) for _ in range(15)]


@pytest.fixture(scope='module')
def scores(images):
    return class_scores((ComparedImage.of(objects, *found) for objects, found in images), 3)


def pycocotools_matches(images, moment, score_thr):
    """By image and class: the entry of COCOeval, from what lies above the threshold alone."""
    def annotations(kinds):
        rows = [(image, box, label, crowd, score) for image, parts in enumerate(kinds, 1)
                for boxes, labels, crowd, scores in parts
                for box, label, score in zip(boxes, labels, scores)]
        return [dict(id=i, image_id=image, category_id=int(label), iscrowd=crowd, score=score,
                     bbox=[*box[:2], *(box[2:] - box[:2])], area=float(np.prod(box[2:] - box[:2])))
                for i, (image, box, label, crowd, score) in enumerate(rows, 1)]

    truth, found = COCO(), COCO()
    frame = dict(images=[dict(id=i) for i in range(1, len(images) + 1)],
                 categories=[dict(id=i) for i in range(3)])
    truth.dataset = dict(frame, annotations=annotations(
        [(o.bboxes, o.labels, 0, o.labels), (o.crowd_bboxes, o.crowd_labels, 1, o.crowd_labels)]
        for o, _ in images))
    sure = [(d, d.scores > score_thr) for d in (found[moment] for _, found in images)]
    found.dataset = dict(frame, annotations=annotations(
        [(d.bboxes[s], d.labels[s], 0, d.scores[s])] for d, s in sure))
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex(), found.createIndex()
        evaluation = COCOeval(truth, found, 'bbox')
        evaluation.params.iouThrs = np.array([.5])
        evaluation.params.areaRng = [[0, 1e10]]
        evaluation.evaluate()
    return [entry for entry in evaluation.evalImgs if entry]


@pytest.mark.parametrize('moment', [0, 1])
def test_right_and_wrong_detections_are_those_of_pycocotools(images, scores, moment):
    for score_thr in THRESHOLDS:
        right, wrong = np.zeros(3, int), np.zeros(3, int)
        for entry in pycocotools_matches(images, moment, score_thr):
            counts = ~entry['dtIgnore'][0].astype(bool)
            found = entry['dtMatches'][0] > 0
            right[entry['category_id']] += (found & counts).sum()
            wrong[entry['category_id']] += (~found & counts).sum()
        assert right.sum() > 0 or score_thr == 0.9
        for label in range(3):
            assert scores[label].above(moment, score_thr) == (right[label], wrong[label])


def test_objects_found_are_those_of_pycocotools_and_of_the_fates(images, scores):
    for score_thr in THRESHOLDS:
        before, now = ({
            (entry['image_id'], gt, entry['category_id'])
            for entry in pycocotools_matches(images, moment, score_thr)
            for gt, matched, crowd in zip(entry['gtIds'], entry['gtMatches'][0],
                                          entry['gtIgnore']) if matched and not crowd}
            for moment in (0, 1))
        counts = found_above(scores, ROLES, score_thr)
        fates = found_again((fate for objects, found in images for fate in box_fates(
            objects, *found, ROLES, score_thr)), ROLES)
        for label, role in enumerate(ROLES):
            both = [sum(key[2] == label for key in keys) for keys in (before, before & now)]
            assert [*counts[role].values()] == both
            assert [fates[role]['before'], fates[role]['own_name']] == both


def test_a_matching_of_all_serves_every_threshold(images):
    for objects, (found, _) in images:
        matched = match(objects, found)
        for score_thr in THRESHOLDS:
            sure = found.scores > score_thr
            alone = greedy(matched.iou * (objects.labels[:, None] == found.labels) * sure,
                           found.scores)
            assert (above(matched.own, found.scores, score_thr) == alone).all()


def class_of(before, wrong_before, now, wrong_now):
    """Scores of one class: an object each that both find, and wrong detections."""
    return ClassScores(np.array([before, now], float).T.reshape(-1, 2),
                       (np.array(wrong_before, float), np.array(wrong_now, float)))


THREE_OF_FOUR = [.9, .8, .7], [.6, .3]  # right and wrong ones; those at 0.3 do not count


@pytest.mark.parametrize('before, wrong_before, now, wrong_now, expected', [
    (*THREE_OF_FOUR, [.9, .8, .7], [.5], .01),  # 3 of 4 are right at any score
    (*THREE_OF_FOUR, [.5, .4, .35], [.3, .2], .2),  # 3 of 4 above 0.20, of all 3 of 5
    ([.9, .8, .1], [.6, .1], [.25, .22, .21], [.215, .205], .21),  # 2 of 3 above 0.21
    (*THREE_OF_FOUR, [.2, .2, .2], [.3, .3], None),
    (*THREE_OF_FOUR, [-np.inf] * 3, [], None),  # nothing is found: no precision at all
])
def test_the_lowest_threshold_as_precise_as_the_original(
        before, wrong_before, now, wrong_now, expected):
    assert same_precision(class_of(before, wrong_before, now, wrong_now), .3) == expected


def test_proposals_against_every_candidate_tried(images, scores):
    for label in range(3):
        for score_thr in (0.1, 0.5, 0.7):
            right, wrong = scores[label].above(0, score_thr)
            wanted = precision(right, wrong)
            tried = [t / 100 for t in range(1, 100) if (precision(
                *scores[label].above(1, t / 100)) or -1) >= wanted]
            assert same_precision(scores[label], score_thr) == (tried[0] if tried else None)


def test_an_original_that_finds_nothing_above_the_score_proposes_nothing():
    assert same_precision(class_of([.2], [.9], [.9], []), .3) is None
    assert precision(0, 0) is None
