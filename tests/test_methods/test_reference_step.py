"""Three steps of GS-LoRA on the shipped detector, as recorded before there were readers.

The recorded losses are of the code of version 4445721, which rebuilt a DETR's loss from its parts
and whose step was equal to the authors' own within 1e-6.
"""

import copy
import json
from pathlib import Path

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from support import CHECKPOINT, CONFIGS, samples

from gslora_det.weights import read_weights

RECORDED = json.loads((Path(__file__).parent / 'reference_step.json').read_text())
PUBLISHED = dict(forget_term='full', distill=0, hold=0, beta=0.15)


def near(expected):
    return pytest.approx(expected, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize('recipe, options', [('recommended', {}), ('published', PUBLISHED)])
def test_steps_are_those_that_were_recorded(recipe, options):
    cfg = Config.fromfile(CONFIGS / 'glyph80/ddetr_forget_80-5.py')
    classes = [str(number) for number in range(80)]
    method = dict(cfg.method, **options, cache_teachers=False, classes=classes,
                  split=dict(retained=classes[:75], forgotten=classes[75:]))
    torch.manual_seed(0)
    model = MODELS.build(dict(type='UnlearningDetector', detector=cfg.model, method=method,
                              weights=read_weights(CHECKPOINT))).train()
    torch.manual_seed(5)
    batch = (dict(forget=torch.randn(4, 3, 128, 128), retain=torch.randn(4, 3, 128, 128)), dict(
        forget=samples([[75, 76], [77], [78, 79], [79]], 128),
        retain=samples([[0, 1], [2], [5, 6, 7], []], 128, seed=1)))
    trained = {n: p for n, p in model.detector.named_parameters() if p.requires_grad}
    optimizer, recorded = torch.optim.AdamW(trained.values(), lr=1e-3), RECORDED[recipe]
    for step, expected in enumerate(recorded['losses']):
        losses = model.loss(*copy.deepcopy(batch))
        assert {name: loss.item() for name, loss in losses.items()} == near(expected)
        optimizer.zero_grad()
        sum(loss for name, loss in losses.items() if 'loss' in name).backward()
        if step == 0:
            assert {name: p.grad.double().norm().item() for name, p in trained.items()} == near(
                recorded['gradients'])
        optimizer.step()
    assert {name: p.double().sum().item() for name, p in trained.items()} == near(
        recorded['sums'])
