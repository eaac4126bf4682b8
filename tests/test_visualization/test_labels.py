import numpy as np
from PIL import Image

from gslora_det.visualization.labels import Label, Words, draw_labels, label_size
from gslora_det.visualization.outlines import Style

BLACK = '#000000'
STYLE = Style(BLACK, casing=BLACK)  # lines to boxes and borders do not show
WORDS = [Words('horse', 7, struck=True), Words('→'), Words('cat', 3)]


def drawn(boxes, needed=True, size=(400, 300), words=WORDS):
    picture = Image.new('RGB', size)
    draw_labels(picture, [Label(box, words, STYLE, needed) for box in boxes], 15)
    return np.asarray(picture).any(-1)


def test_labels_hide_nothing_of_each_other():
    width, height = label_size(WORDS, 15)
    inside = (width - 2) * (height - 2)
    one = drawn([(100, 100, 120, 120)])
    assert one.sum() == inside
    assert one[99 - height // 2, 110] and not one[102:].any()  # above its box
    # There are twelve places beside a box; others find one further away.
    assert drawn([(100, 100, 120, 120)] * 14).sum() == 14 * inside
    assert drawn([(100, 100, 120, 120)] * 14, needed=False).sum() < 13 * inside


def test_labels_stay_inside_the_picture():
    width, height = label_size(WORDS, 15)
    corners = [(-9, -9, -1, -1), (395, -9, 410, 5), (-9, 295, 0, 310), (395, 295, 410, 310)]
    assert drawn(corners).sum() == 4 * (width - 2) * (height - 2)
    long = drawn([(0, 0, 9, 9)], words=[Words('a very long name of a class, twice' * 2)])
    assert .7 * 400 < long.any(0).sum() < 400
