"""The original's own detections in the place of the training images' annotations."""

import copy
import shutil

import numpy as np
import pytest
import torch
from mmengine.hub import get_config
from pycocotools import mask as rle
from support import CHECKPOINT

import gslora_det
from gslora_det.checks.doctor import checks, diagnose
from gslora_det.checks.verification import verify
from gslora_det.datasets.glyph_rendering import CLASSES
from gslora_det.engine.sequence import UnlearningSequence
from gslora_det.files import read_json, sha256, write_json
from gslora_det.reporting.filed import made_with
from gslora_det.weights import read_weights, save_weights

# isort: split
from mmdet.apis import inference_detector, init_detector
from mmdet.registry import MODELS

FILE = 'detected_annotations.json'


@pytest.fixture(scope='module')
def unlabelled(config, glyph80, tmp_path_factory):
    """Makes a config of one task on a file that lists images and says nothing of objects."""
    file = tmp_path_factory.mktemp('unlabelled') / 'images.json'
    coco = read_json(glyph80 / 'annotations/train.json')
    del coco['annotations']
    write_json(file, coco)

    def make(work_dir, **options):
        return config(work_dir, **{
            'sequence.labels': 'detector', 'sequence.num_tasks': 1, 'sequence.pictures': 0,
            'sequence.iters': 3, 'train_dataloader.dataset.ann_file': str(file), **options})
    return make


@pytest.fixture(scope='module')
def erased(unlabelled, tmp_path_factory):
    """The folder of a finished erasure without annotations."""
    folder = tmp_path_factory.mktemp('runs') / 'erased'
    UnlearningSequence(unlabelled(folder)).run()
    return folder


@pytest.fixture
def folder(erased, tmp_path):
    return shutil.copytree(erased, tmp_path / 'moved')


def mmdet_finds(cfg, weights, entries, image_folder):
    """What MMDet's own inference finds in some images of a COCO file."""
    cfg = copy.deepcopy(cfg)
    cfg.test_dataloader = cfg.val_dataloader
    detector = init_detector(cfg, str(weights), device='cpu')
    return {entry['id']: inference_detector(
        detector, str(image_folder / entry['file_name'])).pred_instances for entry in entries}


def check_boxes(annotations, found, score_thr):
    """The annotations of an image are the detections from a score on, in their order."""
    kept = found[found.scores >= score_thr]
    assert [one['category_id'] - 1 for one in annotations] == kept.labels.tolist()
    boxes = np.array([one['bbox'] for one in annotations]).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    np.testing.assert_allclose(boxes, kept.bboxes.numpy(), atol=1e-3)
    np.testing.assert_allclose([one['score'] for one in annotations], kept.scores, atol=1e-5)
    return kept


def ask(cfg, name):
    """Makes a class the only one to erase."""
    for key in ('order', 'num_tasks', 'classes_per_task'):
        cfg.sequence.pop(key, None)
    cfg.sequence.tasks = [[name]]


def of_image(coco, image_id):
    return [one for one in coco['annotations'] if one['image_id'] == image_id]


@pytest.mark.parametrize('score_thr', [0.5, 0.7])
def test_labels_are_what_mmdet_finds_from_the_threshold_on(
        unlabelled, glyph80, tmp_path, score_thr):
    """In pixels of the original image, whatever the test pipeline makes of it."""
    cfg = unlabelled(tmp_path, **{'sequence.label_score_thr': score_thr})
    cfg.val_dataloader.dataset.pipeline[1].scale = (160, 160)
    UnlearningSequence(cfg).run()
    found = read_json(tmp_path / FILE)
    given = read_json(glyph80 / 'annotations/train.json')
    assert (found['images'], found['categories']) == (given['images'], given['categories'])
    assert [one['id'] for one in found['annotations']] == [
        *range(1, len(found['annotations']) + 1)]
    entries = given['images'][::20]
    objects = 0
    for image_id, detections in mmdet_finds(cfg, CHECKPOINT, entries, glyph80 / 'train').items():
        kept = check_boxes(of_image(found, image_id), detections, score_thr)
        objects += len(kept)
        assert len(kept) < len(detections)
    assert objects > 10


def test_buffers_show_what_the_detector_finds(erased):
    record, found = read_json(erased / 'sequence.json'), read_json(erased / FILE)
    forgotten = {CLASSES.index(name) + 1 for name in record['request'][0]}
    shown = {one['image_id'] for one in found['annotations'] if one['category_id'] in forgotten}
    assert set(record['buffers'][0]['forget']) <= shown
    assert len(record['buffers'][0]['forget']) == int(0.3 * len(shown))


def test_the_record_and_the_report_say_that_no_annotations_were_given(erased):
    record, found = read_json(erased / 'sequence.json'), read_json(erased / FILE)
    assert record['settings']['sequence']['labels'] == 'detector'
    assert record['settings']['data']['train']['annotations_sha256'] == sha256(erased / FILE)
    assert record['labels'] == dict(
        file=FILE, sha256=sha256(erased / FILE), images=160,
        objects=len(found['annotations']), score_thr=0.5)
    said = dict(made_with(record))
    text, = said['Annotations of the training images']
    assert text.startswith(f'no annotations, but {len(found["annotations"])} objects that the '
                           'original finds in 160 images with scores from 0.5 on: SHA-256 ')
    assert said['Annotations of the validation images'][0].startswith('SHA-256 ')


def test_what_was_done_is_said_in_one_line(unlabelled, tmp_path, capsys):
    UnlearningSequence(unlabelled(tmp_path)).run()
    found = read_json(tmp_path / FILE)
    line, = (line for line in capsys.readouterr().out.splitlines() if 'annotations' in line)
    assert line == (f'training labels: no annotations, but {len(found["annotations"])} objects '
                    'that the original finds in 160 images with scores from 0.5 on')


def test_a_resumption_reads_the_file_that_is_there(unlabelled, folder, monkeypatch):
    changed = (folder / FILE).stat().st_mtime_ns
    monkeypatch.setattr('gslora_det.engine.detector_labels.found_in', None)  # nobody looks
    record = UnlearningSequence(unlabelled(folder), resume=True).run()
    assert len(record['tasks']) == 1 and len(record['runs']) == 2
    assert (folder / FILE).stat().st_mtime_ns == changed


def test_a_resumption_makes_a_file_that_is_gone_anew(unlabelled, folder):
    before = (folder / FILE).read_bytes()
    (folder / FILE).unlink()
    UnlearningSequence(unlabelled(folder), resume=True).run()
    assert (folder / FILE).read_bytes() == before


@pytest.mark.parametrize('change', ['threshold', 'images', 'weights', 'no file of labels'])
def test_a_file_that_was_made_from_something_else_is_refused(
        unlabelled, folder, tmp_path, change):
    cfg = unlabelled(folder)
    if change == 'threshold':
        cfg.sequence.label_score_thr = 0.6
    elif change == 'images':
        coco = read_json(cfg.train_dataloader.dataset.ann_file)
        write_json(tmp_path / 'fewer.json', dict(coco, images=coco['images'][1:]))
        cfg.train_dataloader.dataset.ann_file = str(tmp_path / 'fewer.json')
    elif change == 'weights':
        cfg.load_from = str(tmp_path / 'other.pth')
        save_weights(read_weights(CHECKPOINT), cfg.load_from, {})
    else:
        write_json(folder / FILE, [])
    with pytest.raises(ValueError, match=f'{FILE} was made with other weights, images or seq'):
        UnlearningSequence(cfg, resume=True)


def test_a_moved_folder_is_verified_and_attacked(folder, capsys):
    assert verify(folder), capsys.readouterr().out
    assert f'PASS  labels of the detector: checked, sha256 {sha256(folder / FILE)}' in (
        capsys.readouterr().out)
    assert gslora_det.attack(folder, ['as it is'])
    (folder / FILE).write_text((folder / FILE).read_text() + '\n')
    assert not verify(folder, metrics=False)
    assert 'FAIL  labels of the detector: ' in capsys.readouterr().out


def test_annotations_are_not_looked_at(erased, unlabelled, tmp_path):
    cfg = unlabelled(tmp_path / 'run')
    coco = read_json(cfg.train_dataloader.dataset.ann_file)
    write_json(tmp_path / 'nonsense.json', dict(coco, annotations=[dict(id='x', bbox=None)]))
    cfg.train_dataloader.dataset.ann_file = str(tmp_path / 'nonsense.json')
    UnlearningSequence(cfg).run()
    assert (tmp_path / 'run' / FILE).read_bytes() == (erased / FILE).read_bytes()


def test_a_class_that_the_detector_does_not_find_is_refused(unlabelled, tmp_path):
    sequence = UnlearningSequence(unlabelled(tmp_path, **{'sequence.label_score_thr': 0.99}))
    name = sequence.plan[0].split.forgotten[0]
    with pytest.raises(ValueError) as error:
        sequence.run()
    assert str(error.value) == (
        f"task 1: no training image shows '{name}' by the detector's own labels: lower "
        'sequence.label_score_thr (0.99), leave it out of the sequence, or add images that show '
        'it')
    assert not (tmp_path / 'sequence.json').exists()


@pytest.mark.parametrize('options, message', [
    ({'sequence.labels': 'detectr'}, "labels is 'detectr': set one of annotations, detector"),
    ({'sequence.label_score_thr': 1.0}, 'label_score_thr is 1.0: set a number from 0 to below 1'),
    ({'sequence.label_score_thr': -0.1}, 'label_score_thr is -0.1: set a number'),
    ({'sequence.label_score_thr': '0,5'}, "label_score_thr is '0,5': set a number"),
    ({'method.rank': 200}, 'rank is 200: a layer of 128 inputs'),
    ({'optim_wrapper.optimizer.lrr': 1}, 'optim_wrapper: .*lrr'),
    ({'load_from': 'nowhere.pth'}, 'nowhere.pth does not exist'),
])
def test_bad_configs_are_refused_before_the_detector_looks(
        unlabelled, tmp_path, monkeypatch, options, message):
    monkeypatch.setattr('gslora_det.engine.detector_labels.found_in', None)
    with pytest.raises(ValueError, match=message) as error:
        UnlearningSequence(unlabelled(tmp_path / 'run', **options))
    assert '\n' not in str(error.value)
    assert not (tmp_path / 'run').exists()


def test_unknown_classes_and_missing_images_are_refused(unlabelled, tmp_path):
    """Of the images any, for the detector looks at all."""
    cfg = unlabelled(tmp_path / 'run')
    ask(cfg, 'digit 77')
    with pytest.raises(ValueError, match="unknown class 'digit 77'"):
        UnlearningSequence(cfg)
    ask(cfg, 'digit 7')
    coco = read_json(cfg.train_dataloader.dataset.ann_file)
    coco['images'][-1]['file_name'] = 'nowhere.png'
    write_json(tmp_path / 'images.json', coco)
    cfg.train_dataloader.dataset.ann_file = str(tmp_path / 'images.json')
    with pytest.raises(ValueError, match='missing images: 1 .the first is .*nowhere.png'):
        UnlearningSequence(cfg)


def test_doctor_writes_nothing(unlabelled, tmp_path, capsys):
    cfg = unlabelled(tmp_path / 'run', **{
        'train_dataloader.dataset.filter_cfg': dict(filter_empty_gt=True)})
    for _ in range(2):
        assert diagnose(checks(cfg)), capsys.readouterr().out
    assert 'train 160 images' in capsys.readouterr().out
    assert not (tmp_path / 'run').exists()


def test_without_annotations_from_python(plain_config, tmp_path):
    done = gslora_det.erase(
        plain_config, str(CHECKPOINT), ['digit 7'], tmp_path / 'run', labels='detector', iters=2,
        pictures=0, **{'sequence.forget.batch_size': 2, 'sequence.retain.batch_size': 2})
    assert done.record['labels']['images'] == 160 and (tmp_path / 'run' / FILE).is_file()


def test_masks_are_those_of_the_detector(unlabelled, glyph80, tmp_path):
    cfg = unlabelled(tmp_path / 'run', **{
        'sequence.label_score_thr': 0.0, 'val_dataloader.batch_size': 1})  # as inference has
    model = get_config('mmdet::mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py').model
    model.backbone.update(depth=18, base_channels=8, init_cfg=None)
    model.neck.update(in_channels=[8, 16, 32, 64], out_channels=16)
    model.rpn_head.update(in_channels=16, feat_channels=16)
    for part in ('bbox_roi_extractor', 'mask_roi_extractor'):
        model.roi_head[part].out_channels = 16
    model.roi_head.bbox_head.update(in_channels=16, fc_out_channels=32)
    model.roi_head.mask_head.update(in_channels=16, conv_out_channels=16)
    model.test_cfg.rcnn.update(score_thr=0.0, max_per_img=10)
    cfg.model = model
    detector = MODELS.build(copy.deepcopy(model))
    for parameter in detector.roi_head.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    cfg.load_from = str(tmp_path / 'mask.pth')
    save_weights(detector.state_dict(), cfg.load_from, {})
    coco = read_json(cfg.train_dataloader.dataset.ann_file)
    write_json(tmp_path / 'images.json', dict(coco, images=coco['images'][:4]))
    cfg.train_dataloader.dataset.update(
        ann_file=str(tmp_path / 'images.json'), pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='LoadAnnotations', with_bbox=True, with_mask=True),
            dict(type='PackDetInputs')])
    expected = mmdet_finds(cfg, cfg.load_from, coco['images'][:4], glyph80 / 'train')
    name = CLASSES[expected[1].labels[0]]
    ask(cfg, name)
    cfg.method.pop('cache_teachers')
    cfg.method.update(targets=['roi_head.bbox_head.shared_fcs.*'], rank=2)
    with pytest.raises(ValueError, match='finds next to nothing'):  # its weights are random
        UnlearningSequence(cfg).run()
    found = read_json(tmp_path / 'run' / FILE)
    for image_id, detections in expected.items():
        annotations = of_image(found, image_id)
        kept = check_boxes(annotations, detections, 0.0)
        assert len(kept)
        for one, mask in zip(annotations, kept.masks):
            assert (rle.decode(one['segmentation']) != mask.numpy()).sum() == 0
