"""What stands before the first layer that trains runs once, and the results stay."""

import json

import pytest
import torch
from mmdet.models.backbones import ResNet
from support import CHECKPOINT

from gslora_det.engine.sequence import UnlearningSequence
from gslora_det.readers.prefix import FrozenPrefix
from gslora_det.weights import read_weights

LINEAR = dict(
    _delete_=True, type='LinearErasure', rank=8, lora_alpha=8, distill=1.0, num_images=12,
    targets=['decoder.layers.2.ffn.*', 'bbox_head.cls_branches.2'], cache_teachers=True)


@pytest.fixture
def sequence(config, tmp_path):
    def make(name, **options):
        cfg = config(tmp_path / name, **{'sequence.iters': 3, **options})
        cfg.merge_from_dict(dict(method=LINEAR))
        return UnlearningSequence(cfg)
    return make


def test_results_are_those_without(sequence, tmp_path, capfd):
    """Up to rounding, which the number of images that run together changes."""
    records = {}
    for name, gib in (('without', 0), ('with', 1.0)):
        records[name] = sequence(name, **{'sequence.cache_gib': gib}).run()
        said = capfd.readouterr().out
        assert ('ran once' in said) == bool(gib)
    for task in (0, 1):
        metrics = [records[name]['tasks'][task]['metrics'] for name in records]
        assert metrics[1]['AP_retained'] == pytest.approx(metrics[0]['AP_retained'], abs=1e-3)
        before, after = (read_weights(str(tmp_path / name / f'task_{task + 1}/merged.pth'))
                         for name in records)
        start = read_weights(str(CHECKPOINT))
        moved, apart = (torch.cat([(one[key] - other[key]).flatten() for key in start]).norm()
                        for one, other in ((before, start), (after, before)))
        # The first steps of Adam are of one size, however small a gradient is.
        assert apart < 0.02 * moved


def test_all_images_are_remembered_and_no_more_than_there_is_room(sequence, tmp_path):
    all_of_them = sequence('all')
    all_of_them.run()
    (seen, ) = all_of_them._memory.values()
    task = json.loads((tmp_path / 'all/sequence.json').read_text())['tasks']
    shown = {number for each in task for ids in each['buffers'].values() for number in ids}
    trained = {key[0] for key in seen if '/train/' in key[0]}
    # Buffers are looked at as often as there are steps; the map was found on twelve of each.
    assert 12 <= len(trained) <= len(shown)
    assert sum('/val/' in key[0] for key in seen) == 12  # all of the validation images
    none = sequence('none', **{'sequence.cache_gib': 1e-9})
    none.run()
    assert sum(map(len, none._memory.values())) <= 12  # of one batch


@pytest.mark.parametrize('iters', [1, 6])
def test_each_image_runs_once_and_weights_are_not_read_in_each_step(sequence, monkeypatch, iters):
    """Also of those that the map is found on, and by the original detector."""
    ran, read = [], []
    forward, digest = ResNet.forward, FrozenPrefix.digest.fget
    erasing = sequence('run', **{'sequence.iters': iters})
    monkeypatch.setattr(ResNet, 'forward', lambda self, images: (
        ran.append(len(images)), forward(self, images))[1])
    monkeypatch.setattr(FrozenPrefix, 'digest', property(
        lambda self: (read.append(1), digest(self))[1]))
    erasing.run()
    (seen, ) = erasing._memory.values()
    assert sum(ran) == 12 + len(seen)  # the original detector sees the validation images
    assert len(read) == 6  # of a task's start and its end; the second has a teacher, too


def test_nothing_is_remembered_where_images_change(config, tmp_path):
    cfg = config(tmp_path / 'random', **{'method.cache_teachers': False})
    cfg.train_dataloader.dataset.pipeline.insert(3, dict(type='RandomFlip', prob=0.5))
    assert UnlearningSequence(cfg)._room == 0
