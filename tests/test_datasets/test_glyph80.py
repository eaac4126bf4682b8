import copy
import json
import multiprocessing
import os

import numpy as np
import pytest
from mmcv.transforms import LoadImageFromFile
from mmdet.registry import DATASETS
from PIL import Image

import gslora_det  # noqa: F401
from gslora_det.datasets import ensure_glyph80
from gslora_det.datasets import glyph80 as module
from gslora_det.datasets.glyph80 import Glyph80Dataset, GlyphCrops
from gslora_det.datasets.glyph_rendering import (
    CHARACTERS,
    CLASSES,
    TRAIN_FACES,
    VAL_FACES,
    render_scene,
)


def test_eighty_distinct_characters_and_names():
    assert len(set(CHARACTERS)) == len(set(CLASSES)) == 80


def test_faces_are_dejavus_twelve_and_validation_has_its_own():
    assert len(TRAIN_FACES) + len(VAL_FACES) == len(set(TRAIN_FACES) | set(VAL_FACES)) == 12


def test_a_seed_gives_the_same_scene():
    scenes = [render_scene(np.random.default_rng([1, 2]), TRAIN_FACES) for _ in range(2)]
    assert np.array_equal(scenes[0][0], scenes[1][0])
    assert scenes[0][1:] == scenes[1][1:]


def test_boxes_lie_in_the_image_and_do_not_overlap():
    for seed in range(40):
        image, labels, boxes = render_scene(np.random.default_rng(seed), VAL_FACES)
        assert image.shape == (128, 128, 3) and 1 <= len(labels) == len(boxes) <= 5
        covered = np.zeros((128, 128), int)
        for x, y, w, h in boxes:
            assert 0 <= x and 0 <= y and x + w <= 128 and y + h <= 128
            covered[y:y + h, x:x + w] += 1
        assert covered.max() == 1


def test_boxes_are_tight(monkeypatch):
    # Without noise, background or other glyphs, a box is where the image changes.
    from gslora_det.datasets import glyph_rendering
    monkeypatch.setattr(glyph_rendering, '_background',
                        lambda rng, size: np.zeros((size, size, 3), np.float32))
    monkeypatch.setattr(glyph_rendering, '_finish', lambda rng, canvas: canvas)
    for seed in range(20):
        image, _, boxes = render_scene(np.random.default_rng(seed), TRAIN_FACES)
        if len(boxes) == 1:
            x, y, w, h = boxes[0]
            rows, columns = np.nonzero(image.max(2) > 0.3 * image.max())
            assert abs(np.array([columns.min() - x, rows.min() - y, columns.max() + 1 - x - w,
                                 rows.max() + 1 - y - h])).max() <= 1


def test_data_set_reads_what_was_drawn(glyph80):
    dataset = DATASETS.build(dict(
        type='Glyph80Dataset', data_root=str(glyph80), ann_file='annotations/val.json',
        data_prefix=dict(img='val/'), pipeline=[]))
    coco = json.loads((glyph80 / 'annotations/val.json').read_text())
    assert len(dataset) == len(coco['images']) == 12
    assert dataset.metainfo['classes'] == CLASSES
    drawn = {(a['image_id'], CLASSES[a['category_id'] - 1]) for a in coco['annotations']}
    read = {(info['img_id'], CLASSES[instance['bbox_label']])
            for info in map(dataset.get_data_info, range(len(dataset)))
            for instance in info['instances']}
    assert read == drawn
    assert Image.open(glyph80 / 'val/000001.png').size == (128, 128)


def test_classes_are_left_out(glyph80):
    every = Glyph80Dataset(data_root=str(glyph80), ann_file='annotations/train.json',
                           data_prefix=dict(img='train/'))
    some = Glyph80Dataset(data_root=str(glyph80), ann_file='annotations/train.json',
                          data_prefix=dict(img='train/'), without=['digit 2', 'Latin A'],
                          filter_cfg=dict(filter_empty_gt=False))
    hidden = {CLASSES.index('digit 2'), CLASSES.index('Latin A')}
    before = [one['bbox_label'] for info in map(every.get_data_info, range(len(every)))
              for one in info['instances']]
    after = [one['bbox_label'] for info in map(some.get_data_info, range(len(some)))
             for one in info['instances']]
    assert hidden < {*before}
    assert after == [label for label in before if label not in hidden]
    assert some.metainfo['classes'] == every.metainfo['classes']
    assert len(some) == 160  # the images stay


@pytest.fixture
def drawn(monkeypatch):
    """For each scene or crop that is drawn, its faces and the first number of its generator."""
    calls = []

    def spy(draw):
        def spied(rng, faces, *args):
            calls.append((faces, copy.deepcopy(rng).integers(2**62)))
            return draw(rng, faces, *args)
        return spied

    for name in ('render_scene', 'render_crop'):
        monkeypatch.setattr(module, name, spy(getattr(module, name)))
    return calls


def test_training_validation_and_crops_share_no_image_and_validation_no_face(drawn, tmp_path):
    ensure_glyph80(str(tmp_path / 'glyph80'), 3, 2)
    crops = GlyphCrops(4)
    for index in range(4):
        crops[index]
    assert [faces for faces, _ in drawn] == 3 * [TRAIN_FACES] + 2 * [VAL_FACES] + 4 * [TRAIN_FACES]
    assert len({number for _, number in drawn}) == 3 + 2 + 4


def test_crops_have_the_channels_of_images_from_files(tmp_path, monkeypatch):
    pixels = np.random.default_rng(0).integers(0, 256, (48, 48, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / 'crop.png')
    monkeypatch.setattr(module, 'render_crop', lambda *args: pixels)
    read = LoadImageFromFile()(dict(img_path=str(tmp_path / 'crop.png')))['img']
    assert np.array_equal(GlyphCrops(1)[0]['inputs'], read.transpose(2, 0, 1))


def test_crops_leave_classes_out():
    crops = GlyphCrops(156, without=['digit 2', 'Latin A'])
    labels = [crops[index]['data_samples'] for index in range(78)]
    assert {*range(80)} - {*labels} == {CLASSES.index('digit 2'), CLASSES.index('Latin A')}
    with pytest.raises(ValueError, match='without: unknown class'):
        GlyphCrops(1, without=['Latin Aa'])


def test_what_is_there_is_kept(glyph80):
    before = (glyph80 / 'manifest.json').stat().st_mtime_ns
    ensure_glyph80(str(glyph80))
    assert (glyph80 / 'manifest.json').stat().st_mtime_ns == before


def test_foreign_folders_and_versions_are_refused(tmp_path):
    (tmp_path / 'mine').mkdir()
    (tmp_path / 'mine/holiday.png').write_text('')
    with pytest.raises(ValueError, match='not Glyph80'):
        ensure_glyph80(str(tmp_path / 'mine'))
    (tmp_path / 'old').mkdir()
    (tmp_path / 'old/manifest.json').write_text('{"version": 0}')
    with pytest.raises(ValueError, match='holds version 0'):
        ensure_glyph80(str(tmp_path / 'old'))


def test_of_two_that_need_it_one_draws(tmp_path, monkeypatch):
    def draw(*args, **kwargs):
        with open(tmp_path / 'drawings', 'a') as log:
            log.write(f'{os.getpid()}\n')
        write(*args, **kwargs)

    write = module._write_split
    monkeypatch.setattr(module, '_write_split', draw)
    fork = multiprocessing.get_context('fork')
    both = [fork.Process(target=ensure_glyph80, args=(str(tmp_path / 'glyph80'), 20, 4))
            for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join()
        assert process.exitcode == 0
    drawings = (tmp_path / 'drawings').read_text().split()
    assert len(drawings) == 2 and len(set(drawings)) == 1  # both splits, one process


def test_an_interrupted_drawing_leaves_nothing(tmp_path, monkeypatch):
    def stop(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, 'render_scene', stop)
    with pytest.raises(KeyboardInterrupt):
        ensure_glyph80(str(tmp_path / 'glyph80'), 2, 1)
    assert [f.name for f in tmp_path.iterdir()] == ['glyph80.lock']


def test_what_a_killed_drawing_left_is_removed(tmp_path):
    (tmp_path / '.glyph80.draft-left/train').mkdir(parents=True)
    ensure_glyph80(str(tmp_path / 'glyph80'), 2, 1)
    assert {f.name for f in tmp_path.iterdir()} == {'glyph80', 'glyph80.lock'}
