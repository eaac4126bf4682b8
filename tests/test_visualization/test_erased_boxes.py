"""Fates of erased boxes on hand-made cases, and pictures that keep their promises."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from gslora_det.visualization import draw_erased_boxes
from gslora_det.visualization.detection_fates import erased_boxes

CLASSES = ('person', 'horse', 'cat')
PERSON, HORSE, CAT = range(3)
SPLIT = SimpleNamespace(retained=('person', 'cat'), forgotten=('horse',), old=())
VERMILLION, YELLOW = (0xD5, 0x5E, 0x00), (0xF0, 0xE4, 0x42)


def detections(*rows, to=np.array):
    """Rows of (x1, y1, x2, y2, score, label)."""
    rows = np.array(rows, dtype=np.float32).reshape(-1, 6)
    return SimpleNamespace(
        bboxes=to(rows[:, :4]), scores=to(rows[:, 4]), labels=to(rows[:, 5])
    )


def fates(before, after, labels=(HORSE,), score_thr=0.3, **kwargs):
    found = erased_boxes(before, after, labels, score_thr, **kwargs)
    return [tuple(fate) for fate in found]


# Shifting a box of width 12 by x leaves an IoU of (12 - x) / (12 + x).
HORSE_BOX = (0, 0, 12, 12, 0.9, HORSE)


@pytest.mark.parametrize(
    ('after', 'expected'),
    [
        ([], (0, 'erased', None)),
        ([(0, 0, 12, 12, 0.2, HORSE)], (0, 'erased', None)),  # below score_thr
        ([(4, 0, 16, 12, 0.4, HORSE)], (0, 'survived', 0)),  # IoU 1/2
        ([(5, 0, 17, 12, 0.9, HORSE)], (0, 'erased', None)),  # IoU 7/17
        ([(0, 0, 12, 12, 0.5, CAT)], (0, 'renamed', 0)),
        ([(0, 0, 12, 12, 0.2, CAT)], (0, 'erased', None)),
        # The true class wins over a better placed other one.
        ([(0, 0, 12, 12, 0.9, CAT), (3, 0, 15, 12, 0.4, HORSE)], (0, 'survived', 1)),
        # Of two new names the better placed one counts.
        ([(3, 0, 15, 12, 0.9, CAT), (1, 0, 13, 12, 0.4, PERSON)], (0, 'renamed', 1)),
    ],
)
def test_fate_of_one_box(after, expected):
    assert fates(detections(HORSE_BOX), detections(*after)) == [expected]


def test_rider_is_not_the_new_name_of_the_horse():
    rider = (1, 0, 12, 12, 0.8, PERSON)
    before, after = detections(rider, HORSE_BOX), detections(rider)
    assert fates(before, after) == [(1, 'erased', None)]


def test_only_erased_labels_above_the_threshold_are_told():
    before = detections((0, 0, 9, 9, 0.3, HORSE), (0, 0, 9, 9, 0.9, CAT), HORSE_BOX)
    assert fates(before, detections()) == [(2, 'erased', None)]
    assert fates(before, detections(), labels=()) == []
    assert len(fates(before, detections(), labels={HORSE, CAT})) == 2


def test_iou_threshold_and_degenerate_boxes():
    shifted = detections((4, 0, 16, 12, 0.4, HORSE))
    assert fates(detections(HORSE_BOX), shifted, iou_thr=0.6) == [(0, 'erased', None)]
    point = detections((3, 3, 3, 3, 0.9, HORSE))
    assert fates(point, point) == [(0, 'erased', None)]


def test_torch_and_numpy_agree():
    rows = [HORSE_BOX, (0, 0, 5, 5, 0.9, CAT)], [(0, 0, 12, 12, 0.5, CAT)]
    before, after = (detections(*r, to=torch.tensor) for r in rows)
    assert fates(before, after) == [(0, 'renamed', 0)]
    grey = np.full((64, 64, 3), 127, np.uint8)
    np.testing.assert_array_equal(
        draw_erased_boxes(grey, before, after, SPLIT, CLASSES),
        draw_erased_boxes(grey, *map(lambda r: detections(*r), rows), SPLIT, CLASSES),
    )


def count(picture, colour):
    return int((picture == colour).all(-1).sum())


def halves(picture):
    middle = picture.shape[1] // 2
    return picture[:, :middle], picture[:, middle:]


def draw(before, after, size=(128, 128), split=SPLIT):
    grey = np.full((*size, 3), 127, np.uint8)
    return draw_erased_boxes(grey, before, after, split, CLASSES)


@pytest.mark.parametrize(
    ('size', 'scale'), [((128, 128), 3), ((100, 150), 4), ((400, 500), 1)]
)
def test_small_pictures_are_enlarged_by_a_whole_factor(size, scale):
    picture = draw(detections(), detections(), size)
    assert picture.dtype == np.uint8
    grey = (picture == 127).all(-1)
    assert grey[:, 0].sum() == size[0] * scale
    assert grey[-1].sum() == 2 * size[1] * scale
    assert not grey[0, 0]  # the caption row


def test_colours_tell_the_fates():
    horse, cat = (20, 30, 90, 90, 0.9, HORSE), (30, 60, 120, 120, 0.9, CAT)
    left, erased = halves(draw(detections(horse, cat), detections(cat)))
    _, survived = halves(draw(detections(horse, cat), detections(horse, cat)))
    assert count(left, YELLOW) == count(erased, YELLOW) == 0 < count(survived, YELLOW)
    # Dashes leave about half of the outline.
    assert 0.3 < count(erased, VERMILLION) / count(left, VERMILLION) < 0.8
    assert count(survived, VERMILLION) == 0


def test_old_classes_are_erased_too():
    split = SimpleNamespace(retained=('person',), forgotten=('cat',), old=('horse',))
    before = detections((20, 30, 90, 90, 0.9, HORSE))
    assert count(draw(before, detections(), split=split), VERMILLION) > 0


def test_labels_stay_inside_the_picture():
    corners = [
        (x, y, x + 8, y + 8, 0.9, HORSE) for x in (-4, 124) for y in (-4, 60, 124)
    ]
    picture = draw(detections(*corners), detections())
    row = picture.shape[0] - 3 * 128
    gutter = picture[:, 3 * 128 : -3 * 128]
    assert (gutter == 255).all()
    assert count(picture[:row], VERMILLION) == 0


@pytest.mark.parametrize('size', [(128, 128), (480, 640)])
def test_crowded_and_empty_pictures(size):
    rng = np.random.default_rng(0)
    corner = rng.uniform(-10, 120, (40, 2))
    rows = np.c_[corner, corner + rng.uniform(0, 50, (40, 2)), rng.uniform(size=40)]
    crowd = detections(*np.c_[rows, np.arange(40) % 3])
    for before, after in (
        (crowd, crowd),
        (crowd, detections()),
        (detections(), crowd),
        (detections(), detections()),
    ):
        assert draw(before, after, size).std() > 0
    nothing = SimpleNamespace(retained=CLASSES, forgotten=(), old=())
    assert count(draw(crowd, crowd, size, nothing), VERMILLION) == 0


def test_bad_input_is_named():
    with pytest.raises(ValueError, match=r'float64 \(8, 8, 3\)'):
        draw_erased_boxes(np.zeros((8, 8, 3)), None, None, SPLIT, CLASSES)
    with pytest.raises(ValueError, match='horse'):
        grey = np.zeros((8, 8, 3), np.uint8)
        draw_erased_boxes(grey, None, None, SPLIT, ('person', 'cat'))
