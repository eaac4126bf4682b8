"""Fates and pictures of two images whose fates are known by construction."""

import base64
import io
import re
from types import SimpleNamespace

import numpy as np
import pytest
from hand_record import SUCCESS, record
from PIL import Image

from gslora_det.evaluation import BoxFate, Detections, Objects, found_above
from gslora_det.reporting import Run, render_report
from gslora_det.reporting.captions import alt_before, alt_now
from gslora_det.reporting.gallery import choose_images, make_gallery, typical_picture

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


def test_what_is_in_a_picture_is_said(gallery):
    first, second = gallery.pictures
    assert alt_before(first) == ('7.png before: the original finds 1 object to forget (x) and '
                                 '1 object to keep (r).')
    assert alt_now(first) == '7.png now: 1 renamed (x), 1 kept (r).'
    assert alt_now(second) == '8.png now: 1 erased (x), 1 kept (r).'
    many = second._replace(boxes=[*second.boxes, ('s', 'kept'), ('r', 'kept'), ('s', 'lost')])
    assert alt_now(many) == '8.png now: 1 erased (x), 3 kept (r ×2, s), 1 lost (s).'
    assert alt_before(many._replace(found=[])) == '8.png before: the original finds no object.'
    page = render_report([Run('by_hand', record(SUCCESS), gallery)])
    images = re.findall('<img [^>]*alt="([^"]*)"', page)
    assert len(images) == page.count('<img') == 6 and set(images) == {
        words(picture) for picture in gallery.pictures for words in (alt_before, alt_now)}


def test_scores_are_kept_for_every_threshold(gallery):
    assert gallery.roles == ('retained', 'retained', 'old', 'forgotten', 'forgotten')
    counts = found_above(gallery.scores, gallery.roles, 0.3)
    assert counts['old'] == dict(before=2, own_name=0)
    assert counts['retained'] == dict(before=2, own_name=2)
    assert gallery.scores[S].above(1, 0.3) == (0, 1)  # the new name of an `x`


def test_pictures_are_shrunk_to_their_room(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (600, 800, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / 'a.png')
    found = Detections(PLACES[:1], np.full(1, .9), np.zeros(1, int))
    seen = {1: SimpleNamespace(path=str(tmp_path / 'a.png'), detections=found,
                               objects=Objects(PLACES[:1], np.array([R])))}
    large, = make_gallery(record(SUCCESS), seen, seen, number=1).pictures
    small, = make_gallery(record(SUCCESS), seen, seen, number=1, room=400_000).pictures
    assert large.size == (800, 600) and len(large.after) > 100_000
    assert small.size[0] < 800 and small.size[0] * 3 == pytest.approx(small.size[1] * 4, abs=4)
    assert 2 * (len(small.before) + len(small.after)) < 400_000


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
