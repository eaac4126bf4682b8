"""``tools/export.py --onnx`` as a user calls it."""

import json
import re

import numpy as np
import pytest
import torch
from mmengine.config import Config
from support import CHECKPOINT, CONFIGS, ROOT, run, run_tool

from gslora_det.engine.predict import predict
from gslora_det.files import read_json
from gslora_det.onnx import export_onnx
from gslora_det.weights import load_weights, save_weights

# isort: split
from mmdet.registry import MODELS

CONFIG = CONFIGS / 'glyph80/ddetr_forget_80-5.py'
WITHOUT = """
import runpy
import sys

sys.modules['onnx'] = sys.modules['onnxruntime'] = None
sys.path.insert(0, 'tools')
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name='__main__')
"""


@pytest.fixture
def options(glyph80):
    return ['--cfg-options', f'val_dataloader.dataset.data_root={glyph80}/',
            f'train_dataloader.dataset.data_root={glyph80}/']


@pytest.fixture
def cfg(glyph80):
    cfg = Config.fromfile(CONFIG)
    cfg.val_dataloader.dataset.data_root = str(glyph80)
    return cfg


def write_unlearned(path):
    """A checkpoint that says what it has forgotten, as a sequence's does."""
    cfg = Config.fromfile(CONFIG)
    detector = MODELS.build(cfg.model)
    load_weights(detector, str(CHECKPOINT))
    save_weights(detector.state_dict(), path,
                 dict(task=2, forgotten=['digit 3', 'Latin Ae'], old=['digit 2']))
    return path


def test_a_missing_package_is_said_before_anything_is_read(tmp_path):
    (tmp_path.parent / 'no_checkpoint.pth').touch()
    result = run('-c', WITHOUT, ROOT / 'tools/export.py', CONFIG,
                 tmp_path.parent / 'no_checkpoint.pth', '--onnx',
                 tmp_path / 'new/detector.onnx')
    assert result.returncode == 2 and not result.stdout and not list(tmp_path.iterdir())
    assert result.stderr == ('error: ONNX export needs onnx and onnxruntime: pip install onnx '
                             'onnxruntime\n')


def test_a_file_to_write_is_needed():
    result = run_tool('tools/export.py', CONFIG, CHECKPOINT)
    assert result.returncode == 2 and 'name the file to write' in result.stderr


def in_ort(path):
    onnxruntime = pytest.importorskip(
        'onnxruntime', reason='onnxruntime is not installed: pip install -e ".[onnx]"')
    return onnxruntime.InferenceSession(str(path))


@pytest.fixture
def needs_onnx():
    for name in ('onnx', 'onnxruntime'):
        pytest.importorskip(name, reason=f'{name} is not installed: pip install -e ".[onnx]"')


def test_the_tool(tmp_path, options, glyph80, needs_onnx):
    weights = write_unlearned(tmp_path / 'unlearned.pth')
    path = tmp_path / 'new/detector.onnx'
    command = 'tools/export.py', CONFIG, weights, '--onnx', path, '--shape', 96, 160, *options
    result = run_tool(*command)
    assert result.returncode == 0 and not result.stderr
    said, = result.stdout.splitlines()
    assert said.startswith(f'wrote {path}: in onnxruntime it differs from MMDetection by ')
    assert float(re.search(r'by ([\d.e-]+) at most', said)[1]) < 1e-3
    assert [p.name for p in path.parent.iterdir()] == ['detector.onnx']

    session = in_ort(path)
    image, = session.get_inputs()
    assert (image.name, image.shape, image.type) == ('image', [1, 3, 96, 160], 'tensor(float)')
    assert [(output.name, output.shape) for output in session.get_outputs()] == [
        ('boxes', [100, 4]), ('scores', [100]), ('labels', [100])]
    facts = {key: json.loads(value) for key, value in
             session.get_modelmeta().custom_metadata_map.items()}
    categories = read_json(glyph80 / 'annotations/val.json')['categories']
    assert facts.pop('classes') == [category['name'] for category in categories]
    assert facts == dict(forgotten=['digit 3', 'Latin Ae'], old=['digit 2'])

    before = path.read_bytes()
    again = run_tool(*command)
    assert again.returncode == 2 and path.read_bytes() == before
    assert again.stderr == f'error: {path} exists: remove it, or name another file\n'


def test_nothing_is_written_where_the_difference_is_too_large(tmp_path, cfg, monkeypatch,
                                                              needs_onnx):
    monkeypatch.setattr('gslora_det.onnx.export.TOLERANCE', 1e-9)
    with pytest.raises(ValueError, match='^DeformableDETR cannot be exported to ONNX: in onnxrun'
                                         'time it differs from MMDetection by .* is not written'):
        export_onnx(cfg, str(CHECKPOINT), str(tmp_path / 'new/detector.onnx'))
    assert not list(tmp_path.iterdir())


def test_the_page_runs_without_mmdetection_and_finds_the_same(tmp_path, cfg, needs_onnx):
    """Its boxes are in pixels of the image file, which the network sees enlarged."""
    cfg.val_dataloader.dataset.pipeline[1].scale = (160, 144)
    export_onnx(cfg, str(CHECKPOINT), str(tmp_path / 'detector.onnx'))
    image_id, expected = next(iter(predict(cfg, str(CHECKPOINT)).items()))
    (tmp_path / 'image.png').write_bytes(open(expected.path, 'rb').read())
    code, = re.findall(r'```python\n(.*?)```', (ROOT / 'docs/onnx.md').read_text('utf-8'), re.S)
    code += ('\nimport sys\nassert not {"torch", "mmdet", "mmcv"} & set(sys.modules)'
             '\nnp.savez("found", boxes, scores, labels)\n')
    result = run('-c', code, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    boxes, scores, labels = np.load(tmp_path / 'found.npz').values()
    wanted = expected.detections
    assert torch.tensor(scores) == pytest.approx(torch.tensor(wanted.scores), abs=1e-3)
    sure = wanted.scores > 0.3
    assert sure.sum() > 1 and labels[sure].tolist() == wanted.labels[sure].tolist()
    assert boxes[sure] == pytest.approx(wanted.bboxes[sure], abs=2e-3)
    assert len(result.stdout.splitlines()) == sure.sum()
