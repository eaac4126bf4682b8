"""Fates and pictures of two images whose fates are known by construction."""

import base64
import io
from types import SimpleNamespace

import numpy as np
import pytest
from hand_record import SUCCESS, record
from PIL import Image

from gslora_det.evaluation import BoxFate, Detections, Objects
from gslora_det.report.gallery import choose_images, make_gallery, typical_picture

PLACES = np.array([[10, 10, 50, 50], [60, 60, 110, 110]], float)
R, S, X = 0, 1, 2  # labels of the record's classes


def image_fates(*fates):
    return [BoxFate(fate, 0, i) for i, fate in enumerate(fates)]


def test_every_fate_is_shown_and_unwanted_ones_come_first():
    fates = {
        1: image_fates('erased', 'kept'), 2: image_fates('kept', 'kept', 'kept'),
        3: image_fates('lost'), 4: image_fates('lost', 'ghost', 'kept'),
        5: image_fates('erased', 'erased'), 6: [],
    }
    assert choose_images(fates, 10) == [4, 3, 5, 2, 1]
    assert choose_images(fates, 3) == [4, 3, 5]


@pytest.fixture
def gallery(tmp_path):
    def prediction(image, objects, detections):
        path = tmp_path / f'{image}.png'
        Image.new('RGB', (120, 120), 'gray').save(path)
        found = Detections(PLACES[:len(detections)], np.full(len(detections), 0.9),
                           np.array(detections, int))
        return SimpleNamespace(path=str(path), detections=found,
                               objects=Objects(PLACES[:len(objects)], np.array(objects)))

    before = {7: prediction(7, [X, R], [X, R]), 8: prediction(8, [R, X], [R, X])}
    # In image 7 `x` is found as `s`; in image 8 `x` is gone.
    after = {7: prediction(7, [X, R], [S, R]), 8: prediction(8, [R, X], [R])}
    return make_gallery(record(SUCCESS), before, after, number=2)


def test_fates_are_counted(gallery):
    assert gallery.summary['roles'] == {
        'forgotten': {}, 'old': {'renamed': 1, 'erased': 1}, 'retained': {'kept': 2}}
    assert gallery.summary['confusion'] == {'x': {'s': 1}} and gallery.num_images == 2


def test_pictures_are_two_layers_of_one_size(gallery):
    first, second = gallery.pictures
    assert (first.name, first.boxes) == ('7.png', [('x', 'renamed'), ('r', 'kept')])
    assert (second.name, second.boxes) == ('8.png', [('r', 'kept'), ('x', 'erased')])
    layers = []
    for uri in second.before, second.after:
        head, content = uri.split(',')
        assert head == 'data:image/jpeg;base64'
        layers.append(Image.open(io.BytesIO(base64.b64decode(content))))
        assert layers[-1].size == second.size
    # The erased box is drawn otherwise; the lower left corner shows nothing.
    before, after = (np.asarray(layer.resize((120, 120))).astype(int) for layer in layers)
    change = abs(before - after).max(-1)
    assert change[60:, 60:].max() > 60 and change[70:, :40].max() < 30


def test_a_rotated_picture_is_upright_as_the_detector_saw_it(tmp_path):
    """Its red left half is stored as the lower one."""
    pixels = np.zeros((400, 600, 3), np.uint8)
    pixels[:, :300] = 255, 0, 0
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(pixels).transpose(Image.ROTATE_90).save(tmp_path / 'a.jpg', exif=exif)
    nothing = Detections(np.zeros((0, 4)), np.zeros(0), np.zeros(0, int))
    seen = {1: SimpleNamespace(path=str(tmp_path / 'a.jpg'), detections=nothing,
                               objects=Objects(PLACES[:1], np.array([R])))}
    picture, = make_gallery(record(SUCCESS), seen, seen, number=1).pictures
    drawn = Image.open(io.BytesIO(base64.b64decode(picture.before.split(',')[1])))
    assert drawn.size == picture.size == (600, 400)
    assert abs(np.asarray(drawn).astype(int) - pixels).mean() < 5


def test_the_typical_picture_shows_what_is_usual(gallery):
    usual = dict(gallery.summary, roles={'old': {'renamed': 1, 'erased': 9},
                                         'retained': {'kept': 3}, 'forgotten': {}})
    assert typical_picture(gallery._replace(summary=usual)).name == '8.png'
    failed = dict(usual, roles={'old': {'renamed': 9}, 'retained': {}, 'forgotten': {}})
    assert typical_picture(gallery._replace(summary=failed)).name == '7.png'
