"""Pictures that keep their promises."""

import numpy as np
import pytest

from gslora_det.evaluation import Detections, Objects, class_roles
from gslora_det.visualization import draw_erased_boxes, draw_panels
from gslora_det.visualization.fate_marks import MEANINGS
from gslora_det.visualization.labels import class_colour
from gslora_det.visualization.legend import draw_legend

CLASSES = ('person', 'horse', 'cat')
PERSON, HORSE, CAT = range(3)
ROLES = class_roles(CLASSES, ['horse'])
VERMILLION, YELLOW = (0xD5, 0x5E, 0x00), (0xF0, 0xE4, 0x42)
BLUE, GREY = (0x00, 0x72, 0xB2), (0x55, 0x55, 0x55)
HORSE_BOX, CAT_BOX = (20, 30, 90, 90, HORSE, .9), (30, 60, 120, 120, CAT, .9)


def found(*rows):
    """Rows of (x1, y1, x2, y2, label, score)."""
    rows = np.array(rows, float).reshape(-1, 6)
    return Detections(rows[:, :4], rows[:, 5], rows[:, 4].astype(int))


def draw(before, after, size=(128, 128), roles=ROLES, function=draw_panels):
    """Objects are where the original finds them."""
    grey = np.full((*size, 3), 127, np.uint8)
    before, after = found(*before), found(*after)
    return function(grey, Objects(before.bboxes, before.labels), before, after, roles, CLASSES)


def count(picture, colour):
    return int((picture == colour).all(-1).sum())


@pytest.mark.parametrize('size, scale', [((128, 128), 3), ((100, 150), 4), ((400, 500), 1)])
def test_small_pictures_are_enlarged_by_a_whole_factor(size, scale):
    picture = draw([], [], size, function=draw_erased_boxes)
    grey = (picture == 127).all(-1)
    assert grey.sum(1).max() == 3 * size[1] * scale
    assert grey[:, 0].sum() == size[0] * scale
    assert not grey[0, 0] and not grey[-1].any()  # the rows of captions and of the legend
    for panel in draw([], [], size).values():
        assert panel.shape == (size[0] * scale, size[1] * scale, 3)
        assert panel.dtype == np.uint8 and (panel == 127).all()


def legend_of(before, after):
    """The rows below the panels, of an image of 400 pixels that keeps its size."""
    picture = draw(before, after, (400, 400), function=draw_erased_boxes)
    bottom = np.flatnonzero((picture == 127).all(-1).any(1)).max()
    return picture[bottom + 1:]


def test_the_legend_names_the_marks_that_there_are():
    success = legend_of([HORSE_BOX, CAT_BOX], [CAT_BOX])
    assert count(success, VERMILLION) and count(success, BLUE) and not count(success, YELLOW)
    # One outline is whole, the other dashed.
    assert count(success, BLUE) < count(success, VERMILLION) < 2.5 * count(success, BLUE)
    harm = legend_of([HORSE_BOX, CAT_BOX], [HORSE_BOX])
    assert count(harm, YELLOW) > count(success, BLUE) and not count(success, GREY)
    nothing = legend_of([], [])
    assert not any(count(nothing, colour) for colour in (VERMILLION, BLUE, YELLOW))


@pytest.mark.parametrize('width', [2500, 500, 120])
def test_a_legend_fits_its_width(width):
    legend = np.asarray(draw_legend(MEANINGS, width, 15))
    assert legend.shape[1] == width and (legend[:, -1] == 255).all()
    assert (legend[-1] == 255).all() and all(count(legend, c) for c in (BLUE, VERMILLION, YELLOW))
    assert (legend.shape[0] > 30) == (width < 2000)  # more than one row


def test_outlines_tell_the_fates():
    def after(*rows):
        return draw([HORSE_BOX, CAT_BOX], rows)['after']

    before = draw([HORSE_BOX, CAT_BOX], [])['before']
    erased, survived, lost = after(CAT_BOX), after(HORSE_BOX, CAT_BOX), after()
    assert count(before, YELLOW) == count(erased, YELLOW) == 0
    # Dashes leave about half of the outline; a line strikes the name out.
    assert .3 < count(erased, VERMILLION) / count(before, VERMILLION) < .8
    assert count(survived, VERMILLION) == 0 < count(survived, YELLOW)
    renamed = after((*HORSE_BOX[:4], PERSON, .8), CAT_BOX)
    ghost = after(CAT_BOX, (0, 0, 20, 20, PERSON, .8))
    for unwanted in (survived, lost, renamed, ghost):
        assert count(unwanted, YELLOW) > 1000
    assert 0 < count(renamed, VERMILLION) < count(erased, VERMILLION)  # struck, not dashed


def test_old_classes_are_erased_too():
    roles = class_roles(CLASSES, ['cat'], old=['horse'])
    assert count(draw([HORSE_BOX], [], roles=roles)['after'], VERMILLION) > 0


def test_a_class_has_one_colour_in_all_panels():
    cat = class_colour(CAT)
    assert len({class_colour(i) for i in range(80)}) > 70
    panels = draw([CAT_BOX], [CAT_BOX])
    assert len({count(panel, cat) for panel in panels.values()}) == 1
    assert count(panels['truth'], cat) > 50
    assert not any(count(panel, cat) for panel in draw([HORSE_BOX], [HORSE_BOX]).values())


@pytest.mark.parametrize('size', [(128, 128), (480, 640), (800, 1333)])
def test_crowded_pictures(size):
    rng = np.random.default_rng(0)
    corner = rng.uniform(-.1, .9, (60, 2)) * size[::-1]
    boxes = np.c_[corner, corner + rng.uniform(0, .4, (60, 2)) * size[::-1]]
    rows = np.c_[boxes, np.arange(60) % 3, rng.uniform(size=60)]
    for after in (rows, [], rows[::2]):
        panels = draw(rows, after, size)
        height, width = panels['after'].shape[:2]
        assert height % size[0] == 0 and height // size[0] == width // size[1] <= 6


def test_a_wrong_image_is_refused():
    with pytest.raises(ValueError, match=r'uint8 of shape \(H, W, 3\), got float64 \(4, 4\)'):
        draw_panels(np.zeros((4, 4)), Objects.of(dict(instances=[])), found(), found(), ROLES,
                    CLASSES)
