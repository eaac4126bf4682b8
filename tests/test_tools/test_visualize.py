import json
import re

import numpy as np
import pytest
from mmengine.config import Config
from PIL import Image
from support import ROOT, run_tool

from gslora_det.engine.visualize import visualize as draw
from gslora_det.weights import read_weights, save_weights

CONFIG = 'configs/glyph80/ddetr_forget_80-1.py'
ORIGINAL = ROOT / 'checkpoints/deformable-detr_r18_glyph80.pth'


@pytest.fixture(scope='module')
def scene(glyph80, tmp_path_factory):
    """The class of the first validation object, and a detector that cannot say its name."""
    content = json.loads((glyph80 / 'annotations/val.json').read_text())
    category = content['annotations'][0]['category_id']
    name = next(c['name'] for c in content['categories'] if c['id'] == category)
    state = read_weights(ORIGINAL)
    for key, value in state.items():
        if re.fullmatch(r'bbox_head\.cls_branches\.\d+\.bias', key):
            value[category - 1] = -100
    weights = tmp_path_factory.mktemp('weights') / 'merged.pth'
    save_weights(state, weights, dict(task=1, forgotten=[name], old=[]))
    return content, category, name, weights


def visualize(scene, glyph80, out, *arguments, original=ORIGINAL, unlearned=None):
    return run_tool('tools/visualize.py', CONFIG, original, unlearned or scene[3], *arguments,
                    '--out', out, '--cfg-options',
                    f'val_dataloader.dataset.data_root={glyph80}')


def test_images_of_a_class_are_drawn_and_counted(scene, glyph80, tmp_path):
    content, category, name, _ = scene
    result = visualize(scene, glyph80, tmp_path, '--classes', name)
    assert result.returncode == 0, result.stderr
    shown = {a['image_id'] for a in content['annotations'] if a['category_id'] == category}
    files = {i['file_name'] for i in content['images'] if i['id'] in shown}
    assert {f.name for f in tmp_path.iterdir()} == files
    assert f'{len(files)} pictures: {tmp_path}' in result.stdout
    told = re.search('forgotten: (.*)', result.stdout).group(1)
    assert 'survived' not in told and 'erased' in told
    assert sum(map(int, re.findall(r'\d+', told))) == sum(
        a['category_id'] == category for a in content['annotations'])
    picture = np.asarray(Image.open(next(tmp_path.iterdir())))
    assert picture.shape[1] > 3 * 384  # before | now | ground truth
    assert not result.stderr and len(result.stdout.splitlines()) < 12


def test_images_by_id_or_name_and_the_worst(scene, glyph80, tmp_path):
    images = scene[0]['images']
    result = visualize(scene, glyph80, tmp_path, '--images', images[3]['id'],
                       images[5]['file_name'])
    assert result.returncode == 0, result.stderr
    assert {f.name for f in tmp_path.iterdir()} == {images[i]['file_name'] for i in (3, 5)}
    worst = visualize(scene, glyph80, tmp_path / 'worst', '--worst', 2,
                      unlearned=scene[3], original=scene[3])
    # A detector that is compared with itself harms nothing.
    assert worst.returncode == 0 and '0 pictures' in worst.stdout


def test_bad_input_gives_one_line(scene, glyph80, tmp_path):
    result = visualize(scene, glyph80, tmp_path / 'out', '--images', 'nowhere.png')
    assert result.returncode == 2 and not (tmp_path / 'out').exists()
    assert result.stderr == ('error: --images nowhere.png: no validation images have this id '
                             'or file name\n')


@pytest.mark.parametrize('options, message', [
    (dict(classes=['Latin AA']), "--classes: .*'Latin AA'"),
    (dict(worst=0), '--worst is 0: set a whole number from 1 to'),
    (dict(score_thr=3.), '--score-thr is 3.0: set a number from 0 to below 1'),
    (dict(unlearned=str(ORIGINAL)), 'does not state what it forgot'),
    (dict(original='nowhere.pth'), 'checkpoint nowhere.pth does not exist'),
])
def test_options_are_checked_first(scene, glyph80, tmp_path, options, message):
    cfg = Config.fromfile(ROOT / CONFIG)
    cfg.val_dataloader.dataset.data_root = str(glyph80)
    options = dict(dict(original=str(ORIGINAL), unlearned=str(scene[3])), **options)
    with pytest.raises(ValueError, match=message):
        draw(cfg, out=tmp_path / 'out', **options)
    assert not (tmp_path / 'out').exists()
