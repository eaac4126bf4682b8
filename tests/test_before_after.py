"""A look at two detectors, against MMDetection's own detections."""

import numpy as np
import pytest
import torch
from mmdet.apis import inference_detector, init_detector
from PIL import Image
from support import CHECKPOINT, CONFIGS, ROOT

import gslora_det
from gslora_det.class_rows import fresh_logit
from gslora_det.files import read_json
from gslora_det.weights import save_weights


@pytest.fixture
def look(plain_config, tmp_path):
    """The original, and the same that says 'digit 7' of nothing."""
    saved = torch.load(CHECKPOINT, weights_only=True)
    weights = {name: value.float() for name, value in saved['state_dict'].items()}
    label = saved['meta']['dataset_meta']['classes'].index('digit 7')
    for layer in range(3):
        weights[f'bbox_head.cls_branches.{layer}.weight'][label] = 0
        weights[f'bbox_head.cls_branches.{layer}.bias'][label] = fresh_logit()
    save_weights(weights, tmp_path / 'after.pth', dict(saved['meta'], forgotten=['digit 7']))
    return gslora_det.BeforeAfter(plain_config, CHECKPOINT, tmp_path / 'after.pth')


def test_fates_are_counted_over_the_validation_images(look, glyph80):
    assert [name for name, role in zip(look.classes, look.roles)
            if role == 'forgotten'] == ['digit 7']
    annotations = read_json(glyph80 / 'annotations/val.json')['annotations']
    digit = look.classes.index('digit 7') + 1
    retained = sum(each['category_id'] != digit for each in annotations)
    roles = look.fates()['roles']
    assert roles['forgotten'].get('survived', 0) == 0
    assert sum(roles['retained'].values()) == retained  # each has one fate
    assert roles['retained']['kept'] > 0.8 * retained and not roles['retained'].get('lost')


def test_a_picture_shows_what_mmdetection_finds(look, tmp_path):
    image = np.full((128, 128, 3), 200, np.uint8)
    Image.fromarray(image).save(tmp_path / 'mine.png')
    picture = look.picture(tmp_path / 'mine.png')
    assert picture == look.picture(image) and picture.width > 2 * picture.height * 0.9
    detector = init_detector(str(CONFIGS / 'glyph80/demo.py'), str(CHECKPOINT), device='cpu')
    found = inference_detector(detector, image[..., ::-1]).pred_instances
    blank = look.picture(image, score_thr=float(found.scores.max()))
    assert (found.scores > 0.3).any() or blank == picture


def test_weights_of_another_detector_and_impossible_thresholds_are_refused(look, plain_config):
    other = ROOT / 'checkpoints/faster-rcnn_r18_glyph80.pth'
    with pytest.raises(ValueError, match=f'{other.name}.* do(es)? not fit'):
        gslora_det.BeforeAfter(plain_config, other, look._weights[1])
    for ask in (look.fates, lambda score_thr: look.picture('none.png', score_thr)):
        with pytest.raises(ValueError, match='score-thr is 3'):
            ask(score_thr=3)


def test_a_config_of_validation_data_alone_is_enough(look, plain_config, tmp_path):
    path = tmp_path / 'val_alone.py'
    path.write_text(plain_config.read_text() + '\ntest_dataloader = test_evaluator = None\n')
    image = np.full((128, 128, 3), 200, np.uint8)
    assert gslora_det.BeforeAfter(path, *look._weights).picture(image) == look.picture(image)


def test_the_slider_is_of_all_thresholds(look):
    html = look.thresholds()
    assert 'type="range"' in html and html.count('<svg') >= 1
