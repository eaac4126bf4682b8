import copy
import json
from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from support import CHECKPOINT
from torch import nn

from gslora_det.datasets.glyph_rendering import CLASSES
from gslora_det.engine.plain import evaluate, train_plain
from gslora_det.weights import CheckpointError, read_weights, save_weights

# isort: split
from mmdet.models import DetTTAModel
from mmdet.registry import MODELS


@pytest.mark.parametrize('out_dir', [None, 'elsewhere'])
def test_resuming_goes_on_from_the_run_and_not_from_where_it_started(
        tmp_path, monkeypatch, out_dir):
    started = []

    class Started:

        def __init__(self, cfg):
            self.cfg = cfg

        def train(self):
            started.append((self.cfg.resume, self.cfg.load_from))

    monkeypatch.setattr(Runner, 'from_cfg', Started)

    def train(resume):
        cfg = Config(dict(load_from='first_stage.pth', work_dir=str(tmp_path / 'run')))
        if out_dir:
            cfg.default_hooks = dict(checkpoint=dict(out_dir=str(tmp_path / out_dir)))
        train_plain(cfg, resume)
        return started.pop()

    assert train(None) == train('auto') == (False, 'first_stage.pth')
    newest = tmp_path / (out_dir or '') / 'run/epoch_1.pth'
    newest.parent.mkdir(parents=True, exist_ok=True)
    torch.save(dict(meta={}, message_hub={}, optimizer={}), newest)
    assert train('auto') == (True, str(newest))
    assert train(str(newest)) == (True, str(newest))
    torch.save(dict(state_dict={}, meta={}), tmp_path / 'weights.pth')
    with pytest.raises(CheckpointError, match='weights.pth is no checkpoint of a run'):
        train(str(tmp_path / 'weights.pth'))


def test_a_test_set_is_measured_with_its_own_annotations(config, glyph80, tmp_path):
    """Its images have the ids of validation images; no training data are needed for it."""
    coco = json.loads((glyph80 / 'annotations/train.json').read_text())
    coco['images'] = coco['images'][:12]
    chosen = {image['id'] for image in coco['images']}
    coco['annotations'] = [a for a in coco['annotations'] if a['image_id'] in chosen]
    (tmp_path / 'test.json').write_text(json.dumps(coco))
    cfg = config(tmp_path / 'run')
    cfg.test_dataloader = copy.deepcopy(cfg.val_dataloader)
    cfg.test_dataloader.dataset.update(
        ann_file=str(tmp_path / 'test.json'), data_prefix=dict(img='train/'))
    cfg.test_evaluator = dict(cfg.val_evaluator, ann_file=str(tmp_path / 'test.json'))
    cfg.train_dataloader.dataset.ann_file = 'nowhere.json'
    found = evaluate(cfg, str(CHECKPOINT))
    plain = Config({key: value for key, value in cfg.items() if key != 'sequence'})
    expected = evaluate(plain, str(CHECKPOINT))['coco/bbox_mAP']
    assert found['coco/AP'] == pytest.approx(expected, abs=5e-4) and expected > 0.5
    assert found['coco/AP_forgotten'] > 0.5


def test_a_checkpoint_is_measured_on_what_it_says_it_has_forgotten(
        config, tmp_path, monkeypatch):
    measured = []
    monkeypatch.setattr(Runner, 'from_cfg', lambda cfg: measured.append(
        cfg.test_evaluator['splits']) or SimpleNamespace(
            model=MODELS.build(cfg.model), test=dict))
    cfg = config(tmp_path)  # its first task erases other classes
    save_weights(read_weights(str(CHECKPOINT)), tmp_path / 'merged.pth', dict(
        task=1, forgotten=['Latin B'], old=['Latin A']))
    evaluate(cfg, str(tmp_path / 'merged.pth'))
    evaluate(cfg, str(tmp_path / 'merged.pth'), task=1)
    evaluate(cfg, str(CHECKPOINT))
    of_itself, of_task, first = measured
    assert of_itself == dict(
        forgotten=('Latin B',), old=('Latin A',),
        retained=tuple(name for name in CLASSES if name not in ('Latin A', 'Latin B')))
    assert of_task == first and len(first['forgotten']) == 10 and 'old' not in first


def tta(detector):
    return DetTTAModel(module=detector)


@pytest.mark.parametrize('wrappers', [[], [tta], [nn.DataParallel], [tta, nn.DataParallel]])
def test_weights_reach_the_detector_through_its_wrappers(
        monkeypatch, tiny_config, tiny_weights, wrappers):
    detector = MODELS.build(tiny_config)
    model = detector
    for wrapper in wrappers:  # DDP has its module where DataParallel has it
        model = wrapper(model)
    monkeypatch.setattr(Runner, 'from_cfg', lambda cfg: SimpleNamespace(
        model=model, test=detector.state_dict))
    data = dict(val_dataloader=dict(x=1), val_evaluator=dict(x=1))
    measured = evaluate(Config(data), tiny_weights)
    assert all(torch.equal(measured[key], value)
               for key, value in read_weights(tiny_weights).items())
