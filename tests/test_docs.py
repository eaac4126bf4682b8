"""The code of the pages under docs/ runs as it is printed there."""

import re
import shutil

import pytest
from pycocotools import mask
from support import ROOT, run_tool

from gslora_det.config_file import load_config
from gslora_det.files import read_json


def code_of_add_a_method(folder):
    """Writes the two files of the page."""
    text = (ROOT / 'docs/add-a-method.md').read_text('utf-8')
    method, config = re.findall(r'```python\n(.*?)```', text, re.S)
    (folder / 'last_layer.py').write_text(method)
    (folder / 'my_config.py').write_text(config.replace('configs/', f'{ROOT}/configs/'))


def test_add_a_method(tmp_path, glyph80):
    code_of_add_a_method(tmp_path)
    options = [f'{loader}_dataloader.dataset.data_root={glyph80}' for loader in ('train', 'val')]
    result = run_tool(
        ROOT / 'tools/train.py', tmp_path / 'my_config.py', '--work-dir', tmp_path / 'run',
        '--cfg-options', 'sequence.iters=2', 'sequence.pictures=0', *options,
        f'val_evaluator.ann_file={glyph80}/annotations/val.json', PYTHONPATH=str(tmp_path))
    assert result.returncode == 0, result.stderr
    task, = read_json(tmp_path / 'run/sequence.json')['tasks']
    # Attention, cross attention, feed-forward network and norms of one layer of 128.
    assert 150_000 < task['trainable_parameters'] < 300_000
    assert task['images_seen'] == 2 * 16


def test_the_added_method_passes_the_suite_for_every_method(tmp_path):
    code_of_add_a_method(tmp_path)
    suite = tmp_path / 'suite.py'
    suite.write_text('import pytest, sys; sys.exit(pytest.main(sys.argv[1:]))')
    result = run_tool(
        suite, '-p', 'last_layer', '-p', 'no:cacheprovider',
        'tests/test_methods/test_every_method.py', '-k', 'LastLayer', PYTHONPATH=str(tmp_path))
    assert result.returncode == 0 and '8 passed' in result.stdout, result.stdout


def test_a_config_of_ones_own_gets_the_recipe(tmp_path):
    """In place of the optimiser and the schedule that trained the detector."""
    text = (ROOT / 'docs/own-data.md').read_text('utf-8')
    example = re.findall(r'```python\n(.*?)```', text, re.S)[0]
    (tmp_path / 'my_detector.py').write_text(
        f"_base_ = '{ROOT}/configs/_base_/models/deformable-detr_r18_glyph80.py'\n"
        "optim_wrapper = dict(type='OptimWrapper', paramwise_cfg=dict(bias_lr_mult=2))\n"
        "param_scheduler = [dict(type='MultiStepLR', milestones=[40])]\n")
    (tmp_path / 'mine.py').write_text(example + 'sequence["forget"] = dict(shots=20)\n')
    cfg = load_config(tmp_path / 'mine.py')
    recipe = load_config('gslora_det::_base_/methods/linear-erasure_any.py')
    for key in ('method', 'optim_wrapper', 'param_scheduler'):
        assert cfg[key] == recipe[key]
    assert cfg.sequence == dict(recipe.sequence, tasks=[['face'], ['licence plate', 'logo']],
                                forget=dict(shots=20, batch_size=8))


def test_a_config_of_parts_takes_the_recipe_as_one(tmp_path):
    text = (ROOT / 'docs/own-data.md').read_text('utf-8')
    config = re.findall(r'```python\n(.*?)```', text, re.S)[1]
    (tmp_path / 'mine.py').write_text(config)
    (tmp_path / 'my_model.py').write_text("model = dict(type='DINO')\n")
    (tmp_path / 'my_data.py').write_text("data_root = 'data/mine/'\n")
    cfg = load_config(tmp_path / 'mine.py')
    assert (cfg.model.type, cfg.data_root) == ('DINO', 'data/mine/')
    assert cfg.sequence.tasks == [['face'], ['licence plate', 'logo']]
    assert (cfg.method.type, cfg.sequence.iters) == ('LinearErasure', 300)
    assert cfg.method.targets == ['decoder.layers.5.ffn.*', 'bbox_head.cls_branches.5']


def test_add_a_detector(tmp_path):
    text = (ROOT / 'docs/add-a-detector.md').read_text('utf-8')
    for name, code in zip(('centernet_reader', 'try_reader'),
                          re.findall(r'```python\n(.*?)```', text, re.S)):
        (tmp_path / f'{name}.py').write_text(code)
    result = run_tool(tmp_path / 'try_reader.py', PYTHONPATH=f'{ROOT}:{tmp_path}')
    assert result.returncode == 0, result.stderr
    assert result.stdout.endswith("the losses are MMDet's\n")


def test_add_an_attack(tmp_path, finished):
    text = (ROOT / 'docs/add-an-attack.md').read_text('utf-8')
    code, = re.findall(r'```python\n(.*?)```', text, re.S)
    (tmp_path / 'noise.py').write_text(code)
    work_dir = shutil.copytree(finished, tmp_path / 'run')
    config = work_dir / 'config.py'
    config.write_text(config.read_text() + "\ncustom_imports = dict(imports=['noise'])\n")
    result = run_tool(ROOT / 'tools/attack.py', work_dir, '--attacks', 'noise', '--tasks', 1,
                      PYTHONPATH=str(tmp_path))
    assert result.returncode == 0, result.stderr
    found = {entry['detector']: entry['curve'] for entry in
             read_json(work_dir / 'attacks.json')['attacks']}
    assert found.keys() >= {'unlearned', 'original', 'head mask'}
    assert [point['x'] for point in found['unlearned']] == [0.02, 0.05]
    assert found['original'][0]['AP_forgotten'] > 50 > found['head mask'][0]['AP_forgotten']


def test_add_a_metric(tmp_path, glyph80):
    text = (ROOT / 'docs/add-a-metric.md').read_text('utf-8')
    hook, config = re.findall(r'```python\n(.*?)```', text, re.S)
    (tmp_path / 'box_fit.py').write_text(hook)
    (tmp_path / 'my_config.py').write_text(config.replace('configs/', f'{ROOT}/configs/'))
    options = [f'{loader}_dataloader.dataset.data_root={glyph80}' for loader in ('train', 'val')]
    result = run_tool(
        ROOT / 'tools/train.py', tmp_path / 'my_config.py', '--work-dir', tmp_path / 'run',
        '--cfg-options', 'sequence.iters=2', 'sequence.pictures=0', *options,
        f'val_evaluator.ann_file={glyph80}/annotations/val.json', PYTHONPATH=str(tmp_path))
    assert result.returncode == 0, result.stderr
    boxes = {}
    for box in read_json(glyph80 / 'annotations/val.json')['annotations']:
        boxes.setdefault(str(box['image_id']), []).append(box['bbox'])
    found = read_json(tmp_path / 'run/original/original_predictions.json')
    overlap = []  # by pycocotools, whose boxes are x, y, width, height
    for image, kept in found.items():
        for x, y, right, bottom in kept['bboxes']:
            overlap.append(mask.iou([[x, y, right - x, bottom - y]], boxes[image],
                                    [0] * len(boxes[image])).max())
    said = read_json(tmp_path / 'run/task_1/box_fit.json')
    assert said['before'] == pytest.approx(sum(overlap) / len(overlap)) and len(overlap) > 10
    assert 0.5 < said['after'] < 1 and said['after'] != said['before']
