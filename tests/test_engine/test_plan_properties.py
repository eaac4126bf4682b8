"""Whatever a COCO file holds: it is planned and loads, or one line says why not."""

import json
import math
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mmengine.config import Config
from PIL import Image
from support import CONFIGS

from gslora_det.datasets import BranchDataset
from gslora_det.engine.plan import make_plan
from gslora_det.files import write_json
from gslora_det.weights import save_weights

CLASSES = ('cat', 'dog', 'owl')
NUMBERS = st.one_of(
    st.floats(-5, 60), st.integers(-5, 60),
    st.sampled_from([0, 1e7, -1e300, math.nan, math.inf, None, '7', True]))
VALUES = st.one_of(NUMBERS, st.lists(NUMBERS, min_size=3, max_size=5), st.text(max_size=3))


@st.composite
def coco_files(draw):
    """A file with boxes of all classes, in which a few values are changed or gone."""
    coco = dict(
        images=[dict(id=i, file_name='a.png', width=40, height=40) for i in range(1, 4)],
        categories=[dict(id=i, name=name) for i, name in enumerate(CLASSES, 1)],
        annotations=[
            dict(id=i, image_id=draw(st.integers(1, 3)), category_id=1 + i % 3, area=9.0,
                 bbox=draw(st.lists(st.floats(-5, 45), min_size=4, max_size=4)),
                 iscrowd=int(draw(st.integers(0, 5)) == 0)) for i in range(8)])
    for _ in range(draw(st.integers(0, 3))):
        part = draw(st.sampled_from(sorted(coco)))
        if not isinstance(coco[part], list) or not coco[part]:
            continue
        if draw(st.integers(0, 9)) == 0:
            coco[part] = draw(st.sampled_from([None, [], {}, coco[part][:1], [None]]))
            continue
        entry = draw(st.sampled_from(coco[part]))
        if entry:
            key = draw(st.sampled_from(sorted(entry)))
            entry[key] = draw(VALUES)
            if draw(st.booleans()):
                del entry[key]
    return coco


outcomes = []


@pytest.fixture(scope='module')
def cfg(tmp_path_factory):
    folder = tmp_path_factory.mktemp('coco')
    Image.new('RGB', (40, 40)).save(folder / 'a.png')
    cfg = Config.fromfile(CONFIGS / 'glyph80/ddetr_forget_80-1.py')
    cfg.train_dataloader.dataset = cfg.val_dataloader.dataset = dict(
        type='CocoDataset', ann_file=str(folder / 'a.json'), pipeline=[],
        data_prefix=dict(img=str(folder)), metainfo=dict(classes=CLASSES))
    cfg.val_evaluator = dict(type='CocoMetric')
    cfg.load_from = str(folder / 'weights.pth')
    save_weights({'x': torch.ones(1)}, cfg.load_from, {})
    cfg.sequence = dict(tasks=[['cat'], ['owl']], iters=1,
                        forget=dict(fraction=1.0, batch_size=1),
                        retain=dict(fraction=1.0, batch_size=1))
    yield cfg
    assert True in outcomes and False in outcomes  # the files are neither all good nor all bad


@settings(max_examples=150, deadline=None, derandomize=True, database=None,
          suppress_health_check=list(HealthCheck))
@given(coco=coco_files())
def test_a_file_is_planned_or_refused_with_one_line(cfg, coco):
    dataset = cfg.train_dataloader.dataset
    ann_file = Path(dataset.ann_file)
    ann_file.write_text(json.dumps(coco))
    try:
        plan = make_plan(cfg)
    except ValueError as error:
        assert str(error) and '\n' not in str(error)
        outcomes.append(False)
        return
    outcomes.append(True)
    for task in plan:
        write_json(ann_file.with_name('buffers.json'), task.buffers)
        for branch in ('forget', 'retain'):
            loaded = BranchDataset(dataset, branch, str(ann_file.with_name('buffers.json')),
                                   CLASSES)
            assert len(loaded) == len(task.buffers[branch]) > 0
            for info in loaded.dataset.data_list:
                assert all(math.isfinite(v) for i in info['instances'] for v in i['bbox'])
