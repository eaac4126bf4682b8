"""What a sequence will need is built before it begins; what cannot work is one line then."""

import json
import random

import numpy as np
import pytest
import torch
from mmdet.registry import TRANSFORMS
from mmengine.dataset import Compose
from mmengine.hooks import Hook

# isort: split
from mmdet.registry import HOOKS

from gslora_det.checks.doctor import checks, diagnose
from gslora_det.datasets.random_steps import random_steps
from gslora_det.engine.sequence import UnlearningSequence


@HOOKS.register_module()
class NeedsAPackageHook(Hook):

    def __init__(self):
        import a_package_that_is_not_there  # noqa: F401


WARM = [dict(type='LinearLR', start_factor=0.001, by_epoch=False, begin=0, end=500),
        dict(type='CosineAnnealingLR', by_epoch=False, begin=500, eta_min=0)]


@pytest.mark.parametrize('options, message', [
    ({'train_dataloader.prefetch_factor': 2}, 'train_dataloader: prefetch_factor'),
    ({'val_dataloader.prefetch_factor': 2}, 'val_dataloader: prefetch_factor'),
    ({'val_dataloader.collate_fn': dict(type='nothing')}, 'val_dataloader: '),
    ({'train_dataloader.dataset.indices': 10}, 'train_dataloader: the .* buffer has 27 images'),
    ({'val_dataloader.dataset.indices': 4}, 'val_dataloader.dataset gives 4 of the 12 images'),
    ({'val_dataloader.num_batch_per_epoch': 1, 'val_dataloader.batch_size': 6},
     'val_dataloader.dataset gives 6 of the 12'),
    ({'val_dataloader.drop_last': True, 'val_dataloader.batch_size': 5},
     'val_dataloader gives 10 of the 12 images'),
    ({'val_dataloader.sampler': dict(type='InfiniteSampler', shuffle=False)},
     'val_dataloader gives 12 of the 12 images, or some of them twice'),
    ({'val_dataloader.dataset.pipeline': [dict(type='LoadImageFromFile')]},
     'the first validation image: KeyError: inputs'),
    ({'val_dataloader.dataset.pipeline.3.meta_keys': ('img_id', 'ori_shape', 'img_shape')},
     'the first validation image: AssertionError: assert img_meta.get.*scale_factor'),
    ({'train_dataloader.dataset.pipeline.3.meta_keys': ('img_id',)},
     "the first step of task 1: AttributeError: .*'img_shape'"),
    ({'model.test_cfg.max_per_img': 5000}, 'the first validation image: .*out of range'),
    ({'train_dataloader.timeout': 10}, 'the first step of task 1: .*timeout'),
    ({'optim_wrapper.optimizer': dict(_delete_=True, type='SparseAdam', lr=1.0)},
     'the first step of task 1: .*SparseAdam'),
    ({'param_scheduler': [dict(type='OneCycleLR', eta_max=1, total_steps=2, by_epoch=False)]},
     'param_scheduler.0, in task 1 of 5 steps: Tried to step 4 times'),
    ({'param_scheduler': 'CosineAnnealingLR'}, "param_scheduler.0 is 'CosineAnnealingLR': set"),
    ({'env_cfg.mp_cfg.mp_start_method': 'foo'}, "task 1: cannot find context for 'foo'"),
    ({'env_cfg': 'x'}, "env_cfg is 'x': set dict"),
    ({'load_from': ['a', 'b.pth']}, r"load_from is \['a', 'b.pth'\]: set a path as text"),
    ({'sequence.original': 3}, 'sequence.original is 3: set a path as text'),
    ({'sequence.order': -1}, 'sequence.order is -1; a seed is'),
    ({'sequence.order': True}, 'sequence.order is True; a seed is'),
    ({'train_dataloader.dataset.pipeline.1.type': 'LoadPanopticAnnotations'},
     'data set Glyph80Dataset: panopticapi is not installed'),
    ({'param_scheduler': WARM}, 'param_scheduler.1, in task 1 of 5 steps: end should be larger'),
    ({'optim_wrapper.optimizer.momentum': 1}, 'optim_wrapper: .*momentum'),
    ({'optim_wrapper.constructor': 'NoConstructor'}, 'optim_wrapper: .*NoConstructor'),
    ({'optim_wrapper.clip_grad': dict(max_norms=1)}, 'the first step of task 1: .*max_norm'),
    ({'optim_wrapper.type': 'AmpOptimWrapper'}, 'optim_wrapper.type: AmpOptimWrapper needs a GPU'),
    ({'default_hooks.logger': dict(type='LoggerHook', intervall=1)}, 'default_hooks.logger: '),
    ({'custom_hooks': [dict(type='NeedsAPackageHook')]},
     'custom_hooks.0: .*a_package_that_is_not_there'),
    ({'custom_hooks': [dict(type='NumClassCheckHook', priority='HIHG')]},
     'custom_hooks.0: .*HIHG'),
    ({'visualizer.vis_backends': [dict(type='LocalVisBackend'), dict(type='WandbVisBackend')]},
     'visualizer.vis_backends.1: WandbVisBackend needs the package wandb'),
    ({'visualizer.vis_backends': [dict(type='NoBackend')]}, 'visualizer: .*NoBackend'),
    ({'randomness.sede': 1}, "randomness has no setting 'sede': did you mean 'seed'"),
    ({'auto_scale_lr.enable': True, 'auto_scale_lr.base_batch_size': None}, 'auto_scale_lr is '),
    ({'val_evaluator.prefix': 'mine'}, "val_evaluator.prefix is 'mine'"),
    ({'val_evaluator.format_only': True}, 'val_evaluator.format_only is True'),
    ({'val_evaluator.metric': ['bbox', 'segm']}, 'val_evaluator.metric is '),
    ({'val_evaluator.iou_thrs': [0.5]}, 'val_evaluator.iou_thrs is '),
    ({'val_evaluator.proposal_nums': (1, 10)}, 'val_evaluator.proposal_nums is '),
    ({'val_evaluator.proposal_nums': (100,)}, 'val_evaluator.proposal_nums is '),
    ({'val_evaluator.collect_device': 'gpu'}, 'val_evaluator.collect_device is gpu'),
    ({'val_evaluator.collect_device': 'foo'}, 'val_evaluator.collect_device is .foo'),
    ({'val_evaluator.backend': 'c++'}, r"val_evaluator: unknown backend 'c\+\+'"),
    ({'val_evaluator.sort_categories': True}, None),
    ({'custom_hooks': dict(type='NumClassCheckHook')}, None), ({'default_hooks': None}, None),
    ({'visualizer': None, 'randomness': None}, None),
    ({'model.data_preprocessor.batch_augments': [dict(
        type='BatchSyncRandomResize', random_size_range=(96, 160), interval=1)]}, None),
    ({f'{name}_dataloader.dataset.metainfo': dict(palette=np.zeros((80, 3), int))
      for name in ('train', 'val')}, None),
])
def test_what_cannot_work_is_named_before_anything_is_written(
        config, tmp_path, options, message, capsys):
    folder = tmp_path / 'run'
    if message is None:
        UnlearningSequence(config(folder, **options))
        return
    with pytest.raises(ValueError, match=message) as error:
        UnlearningSequence(config(folder, **options))
    assert '\n' not in str(error.value) and not folder.exists()
    assert not diagnose(checks(config(folder, **options)))  # doctor says the same
    said = capsys.readouterr().out
    assert str(error.value) in said or 'FAIL  checkpoint: ' in said


def test_annotations_of_data_set_and_evaluator_are_compared_by_content(
        config, tmp_path, glyph80, monkeypatch):
    def build(ann_file):
        cfg = config(tmp_path / 'run')
        cfg.val_evaluator.ann_file = ann_file
        UnlearningSequence(cfg)

    content = (glyph80 / 'annotations/val.json').read_text()
    (tmp_path / 'copy.json').write_text(content)
    (tmp_path / 'link.json').symlink_to(glyph80 / 'annotations/val.json')
    monkeypatch.chdir(tmp_path)
    for same in (None, 'copy.json', './link.json', str(glyph80 / 'train/../annotations/val.json')):
        build(same)
    coco = json.loads(content)
    coco['annotations'].pop()
    (tmp_path / 'other.json').write_text(json.dumps(coco))
    for wrong, message in (('other.json', 'val_evaluator.ann_file is other.json and the data set'),
                           ('gone.json', 'val_evaluator.ann_file: gone.json is missing')):
        with pytest.raises(ValueError, match=message):
            build(wrong)


@TRANSFORMS.register_module()
class Tint:
    """Changes colours by a generator of its own, of Python, NumPy or PyTorch."""

    def __init__(self, draw):
        self.draw = draw

    def __call__(self, results):
        own = np.random.default_rng().random
        amount = dict(own=own, python=random.random, numpy=np.random.rand, torch=torch.rand,
                      none=lambda: 0)[self.draw](*([1] if self.draw == 'torch' else []))
        results['img'] = results['img'] * (1 + float(amount))
        return results


class Images:
    """As much of a data set as a pipeline needs."""

    def __init__(self, number, *steps):
        self.number = number
        self.pipeline = Compose(steps)

    def __len__(self):
        return self.number

    def get_data_info(self, index):
        return dict(img=np.ones((4, 4, 3)), img_id=index)


@pytest.mark.parametrize('draw', ['own', 'python', 'numpy', 'torch', 'none'])
def test_random_steps_are_found_whatever_their_name(draw):
    dataset = Images(1, lambda results: dict(results, seen=True), Tint(draw))
    assert random_steps(dataset) == ([] if draw == 'none' else ['Tint'])


class NowAndThen:
    """Makes one of nine views of the second image brighter, by a count instead of chance."""
    views = 0

    def __call__(self, results):
        self.views += results['img_id'] == 1
        bright = results['img_id'] == 1 and self.views % 9 == 0
        return dict(results, img=results['img'] + bright)


def test_a_step_that_is_random_now_and_then_is_found():
    assert random_steps(Images(2, NowAndThen())) == ['NowAndThen']
    assert random_steps(Images(1, NowAndThen())) == []


def test_what_is_remembered_of_an_image_needs_a_pipeline_without_chance(config, tmp_path):
    def build(remember):
        cfg = config(tmp_path / 'run', **{'method.cache_teachers': remember})
        cfg.train_dataloader.dataset.pipeline.insert(1, dict(type='Tint', draw='own'))
        return UnlearningSequence(cfg)

    build(False)
    with pytest.raises(ValueError, match=r'method.cache_teachers .*\(Tint\)'):
        build(True)


def test_repeated_data_sets_are_unwrapped_and_others_refused(config, tmp_path):
    def build(wrapped, **wrapper):
        cfg = config(tmp_path / 'run')
        inner = cfg[wrapped].dataset
        cfg[wrapped].dataset = dict(wrapper, **(
            dict(datasets=[inner, inner]) if wrapper['type'] == 'ConcatDataset'
            else dict(dataset=inner)))
        return UnlearningSequence(cfg).plan

    plain = UnlearningSequence(config(tmp_path / 'run')).plan
    assert build('train_dataloader', type='RepeatDataset', times=3) == plain
    assert build('train_dataloader', type='ClassBalancedDataset', oversample_thr=0.1) == plain
    for wrapped in ('train_dataloader', 'val_dataloader'):
        with pytest.raises(ValueError, match=f'{wrapped}.dataset is a ConcatDataset: .* joins'):
            build(wrapped, type='ConcatDataset')
    with pytest.raises(ValueError, match='is a MultiImageMixDataset: .* mixes no images'):
        build('train_dataloader', type='MultiImageMixDataset', pipeline=[])
