import json
import math
import shutil
from collections import Counter

import pytest
import torch
from mmdet.registry import DATASETS
from mmengine.config import Config
from support import CHECKPOINT, CONFIGS

from gslora_det.datasets.glyph_rendering import CLASSES
from gslora_det.engine.plan import make_plan
from gslora_det.engine.task_config import task_config
from gslora_det.files import write_json
from gslora_det.weights import save_weights

FLAGSHIP = CONFIGS / 'glyph80/ddetr_forget_80-10x7.py'


@pytest.fixture
def cfg(glyph80):
    cfg = Config.fromfile(FLAGSHIP)
    for loader in (cfg.train_dataloader, cfg.val_dataloader):
        loader.dataset.data_root = str(glyph80)
    cfg.val_evaluator.ann_file = f'{glyph80}/annotations/val.json'
    cfg.load_from = str(CHECKPOINT)
    return cfg


def test_buffers_hold_a_share_of_the_images_that_show_the_classes(cfg, glyph80):
    cfg.sequence.forget.fraction, cfg.sequence.retain.fraction = 0.3, 0.1
    annotations = json.loads((glyph80 / 'annotations/train.json').read_text())['annotations']
    first, second = list(make_plan(cfg))[:2]
    for task in (first, second):
        for branch, names in (('forget', task.split.forgotten), ('retain', task.split.retained)):
            shown = {a['image_id'] for a in annotations
                     if CLASSES[a['category_id'] - 1] in names}
            assert set(task.buffers[branch]) <= shown
            share = dict(forget=0.3, retain=0.1)[branch]
            assert len(task.buffers[branch]) == int(share * len(shown))
    assert second.split.old == first.split.forgotten


def test_who_keeps_the_labels_keeps_the_images_of_the_forget_buffer(cfg, glyph80):
    cfg.sequence.num_tasks = 1
    apart = make_plan(cfg)[0]
    cfg.sequence.mixed_images = 'keep'
    cfg.sequence.missing = list(apart.split.retained[5:])
    kept, cfg.sequence.mixed_images = make_plan(cfg)[0], 'ignore'
    ignored = make_plan(cfg)[0]
    annotations = json.loads((glyph80 / 'annotations/train.json').read_text())['annotations']
    shown = {a['image_id'] for a in annotations
             if CLASSES[a['category_id'] - 1] in apart.split.retained[:5]}
    assert kept.buffers['forget'] == ignored.buffers['forget']
    more = set(kept.buffers['retain']) - set(ignored.buffers['retain'])
    assert more == shown.intersection(kept.buffers['forget']) - set(ignored.buffers['retain'])
    assert more


def test_a_plan_is_the_same_every_time(cfg):
    assert make_plan(cfg) == make_plan(cfg)


def test_what_is_none_is_not_set(cfg, tmp_path):
    expected = make_plan(cfg)
    for key in ('buffer_seed', 'pictures', 'missing', 'cache_gib', 'mixed_images', 'crowds',
                'labels', 'label_score_thr', 'checkpoint_interval'):
        cfg.sequence[key] = None
    cfg.randomness = dict(seed=None, deterministic=False)
    assert make_plan(cfg) == expected
    run = task_config(cfg, expected[0], tmp_path, list(CLASSES), 'weights.pth', {}, {})
    assert run.randomness.seed == 1 and run.default_hooks.checkpoint.interval == 200
    assert 'mixed_images' not in run.train_dataloader.dataset.datasets[0]


def test_a_task_has_its_branches_sizes_and_its_schedule_ends_with_it(cfg, tmp_path):
    cfg.sequence.update(num_tasks=1, iters=30)
    cfg.sequence.forget.batch_size, cfg.sequence.retain.batch_size = 4, 8
    cfg.param_scheduler = [dict(type='LinearLR', by_epoch=False, end=10),
                           dict(type='CosineAnnealingLR', by_epoch=False, begin=10)]
    run = task_config(cfg, make_plan(cfg)[0], tmp_path, list(CLASSES), 'weights.pth', {}, {})
    loader = run.train_dataloader
    assert [part.branch for part in loader.dataset.datasets] == ['forget', 'retain']
    assert loader.sampler.source_ratio == [4, 8]
    assert loader.batch_size == loader.sampler.batch_size == 12
    assert [part.end for part in run.param_scheduler] == [10, 30]


def test_epochs_are_passes_over_the_retain_buffer(cfg):
    cfg.sequence.iters = None
    cfg.sequence.epochs = 3
    task = make_plan(cfg)[0]
    assert task.iters == 3 * -(-len(task.buffers['retain']) // 8)


def test_missing_classes_have_no_training_data_but_stay_retained(cfg, glyph80, tmp_path):
    """Neither images for their sake nor, in the images of others, their boxes."""
    *missing, left = make_plan(cfg)[6].split.retained
    first = make_plan(cfg)[0].split
    missing += [name for name in first.retained if name not in (*missing, left)][:5]
    cfg.sequence.update(num_tasks=1, missing=missing)
    cfg.sequence.retain = dict(fraction=1.0, batch_size=8)
    task, = make_plan(cfg)
    assert set(missing) <= set(task.split.retained) == set(first.retained)
    assert task.split.measured()['missing'] == tuple(missing)
    trained = set(first.retained) - set(missing)
    annotations = json.loads((glyph80 / 'annotations/train.json').read_text())['annotations']
    shown = {name: {a['image_id'] for a in annotations
                    if CLASSES[a['category_id'] - 1] == name} for name in CLASSES}
    assert set(task.buffers['retain']) == set().union(*(shown[name] for name in trained))
    assert set(task.buffers['retain']) & set().union(*(shown[name] for name in missing))

    run = task_config(cfg, task, tmp_path, list(CLASSES), 'weights.pth', {}, {})
    (tmp_path / 'task_1').mkdir()
    write_json(tmp_path / 'task_1/buffers.json', task.buffers)
    for branch, names in zip(run.train_dataloader.dataset.datasets,
                             (set(task.split.forgotten), trained)):
        dataset = DATASETS.build(branch).dataset
        assert {CLASSES[instance['bbox_label']] for i in range(len(dataset))
                for instance in dataset.get_data_info(i)['instances']} == names


def test_pictures_show_forgotten_classes(cfg, glyph80):
    annotations = json.loads((glyph80 / 'annotations/val.json').read_text())['annotations']
    for task in make_plan(cfg):
        for image in task.pictures:
            assert any(a['image_id'] == image and CLASSES[a['category_id'] - 1]
                       in task.split.forgotten for a in annotations)


def test_pictures_show_most_kinds_of_forgotten_objects(cfg, glyph80):
    """Of images with as many, those of the lowest ids."""
    cfg.sequence.update(pictures=2, classes_per_task=30, num_tasks=2)
    annotations = json.loads((glyph80 / 'annotations/val.json').read_text())['annotations']
    for task in make_plan(cfg):
        kinds = Counter(image for image, category in {
            (a['image_id'], a['category_id']) for a in annotations}
            if CLASSES[category - 1] in task.split.forgotten)
        ranked = sorted(kinds, key=lambda image: (-kinds[image], image))
        assert task.pictures == sorted(ranked[:2])
        assert sorted(kinds)[:2] != task.pictures


@pytest.mark.parametrize('change, message', [
    (dict(tasks=[['Latin A'], ['Latin Aa']]), "Latin Aa.*Latin A"),
    (dict(tasks=[['Latin A'], ['Latin A']]), 'Latin A'),
    (dict(tasks=[['Latin A'], []]), 'task 2'),
    (dict(num_tasks=9), '80'),
    (dict(num_tasks=0), 'num_tasks'),
    (dict(iters=None), 'either iters'),
    (dict(iter=5), "no setting 'iter'"),
    (dict(forget=dict(fraction=2.0, batch_size=8)), 'fraction is 2.0'),
    (dict(forget=dict(fraction=0.1)), 'sequence.forget needs batch_size'),
])
def test_contradictions_give_one_line(cfg, change, message):
    if 'tasks' in change:
        for key in ('order', 'num_tasks', 'classes_per_task'):
            cfg.sequence.pop(key)
    for key, value in change.items():
        cfg.sequence[key] = value
    with pytest.raises(ValueError, match=message) as error:
        make_plan(cfg)
    assert '\n' not in str(error.value)


@pytest.mark.parametrize('key', ['order', 'tasks', 'missing'])
def test_no_list_of_classes_raises_anything_but_one_line(cfg, key):
    if key == 'tasks':
        for other in ('order', 'num_tasks', 'classes_per_task'):
            del cfg.sequence[other]
    for value in (True, -1, 2.5, math.nan, 'x', [], ['x'], [[]], [['x']], [[None]], {}, [{}]):
        cfg.sequence[key] = value
        try:
            make_plan(cfg)
        except ValueError as error:
            assert '\n' not in str(error)


def test_all_config_errors_are_listed_at_once(cfg):
    cfg.sequence.iters = None
    cfg.load_from = None
    with pytest.raises(ValueError, match='load_from is missing.*either iters'):
        make_plan(cfg)


def test_too_few_betas(cfg):
    cfg.method.beta = [0.1, 0.2]
    with pytest.raises(ValueError, match='beta has 2 values for 7 tasks'):
        make_plan(cfg)


@pytest.fixture
def with_boxes(cfg, tmp_path, glyph80):
    """Changes the annotations of a class, or leaves them out where ``change`` is None."""
    def use(name, change):
        coco = json.loads((glyph80 / 'annotations/train.json').read_text())
        label = CLASSES.index(name) + 1
        coco['annotations'] = [
            a if a['category_id'] != label else dict(a, **change)
            for a in coco['annotations'] if a['category_id'] != label or change]
        (tmp_path / 'train.json').write_text(json.dumps(coco))
        cfg.train_dataloader.dataset.ann_file = str(tmp_path / 'train.json')
        return cfg
    return use


@pytest.mark.parametrize('change', [None, dict(iscrowd=1), dict(ignore=1)])
def test_a_class_that_no_image_or_only_a_crowd_shows(cfg, with_boxes, change):
    cfg.sequence.forget.fraction = 1.0  # so that the buffers show all
    first, *_, last = make_plan(cfg)
    erased, kept = first.split.forgotten[0], last.split.retained[0]
    assert ('retained classes without a training box, which sequence.missing would measure apart: '
            f"1 (the first is '{kept}')") in make_plan(with_boxes(kept, change)).warnings
    with pytest.raises(ValueError, match=f"task 1: no training image shows '{erased}'"):
        make_plan(with_boxes(erased, change))


def test_classes_that_are_not_in_the_file_are_refused(cfg, tmp_path, glyph80):
    cfg.train_dataloader.dataset.metainfo = dict(classes=('Latin A', 'unicorn'))
    with pytest.raises(ValueError, match="not among the categories.*unicorn"):
        make_plan(cfg)


def test_other_classes_for_validation_are_refused(cfg):
    names = list(CLASSES)
    cfg.val_dataloader.dataset.metainfo = dict(classes=names[:3])
    lacks = f"the validation set lacks 77 .the first is '{names[3]}'"
    with pytest.raises(ValueError, match=lacks):
        make_plan(cfg)
    cfg.val_dataloader.dataset.metainfo = None
    cfg.train_dataloader.dataset.metainfo = dict(classes=names[:-1])
    with pytest.raises(ValueError, match=f"the training set lacks 1 .the first is '{names[-1]}'"):
        make_plan(cfg)


def test_classes_in_another_order_than_the_files_are_refused(cfg, glyph80):
    """Labels follow the file, MMDet's comment says: boxes would be of other classes."""
    names = list(CLASSES)
    names[1:3] = names[2:0:-1]
    data = cfg.train_dataloader.dataset
    data.update(data_root=str(glyph80), metainfo=dict(classes=names))
    dataset = DATASETS.build(dict(data, pipeline=[], lazy_init=True))
    dataset.full_init()
    assert {CLASSES[key - 1]: label for key, label in dataset.cat2label.items()} == {
        name: number for number, name in enumerate(CLASSES)}
    with pytest.raises(ValueError, match=f"order than the categories.*2 .*'{names[1]}'"):
        make_plan(cfg)


def test_what_a_checkpoint_has_forgotten_stays_forgotten(cfg, tmp_path):
    *before, first = [list(task.split.forgotten) for task in make_plan(cfg)][:3]
    cfg.load_from = str(tmp_path / 'merged.pth')
    save_weights({'x': torch.zeros(1)}, cfg.load_from,
                 dict(task=2, forgotten=before[1], old=before[0]))
    for key in ('order', 'num_tasks', 'classes_per_task'):
        cfg.sequence.pop(key)
    cfg.sequence.tasks = [first]
    task, = make_plan(cfg)
    assert set(task.split.old) == {*before[0], *before[1]}
    assert set(task.split.retained) == {*CLASSES} - {*before[0], *before[1], *first}
    cfg.sequence.tasks = [before[0][:1]]
    with pytest.raises(ValueError, match='already erased by an earlier sequence'):
        make_plan(cfg)


def test_classes_that_the_forget_buffer_lacks_are_said(cfg, glyph80):
    cfg.sequence.num_tasks = 1
    cfg.sequence.forget = dict(fraction=0.02, batch_size=8)
    plan = make_plan(cfg)
    task, = plan
    annotations = json.loads((glyph80 / 'annotations/train.json').read_text())['annotations']
    shown = {CLASSES[a['category_id'] - 1] for a in annotations
             if a['image_id'] in task.buffers['forget']}
    absent = [name for name in task.split.forgotten if name not in shown]
    assert 0 < len(absent) < 10
    assert ('classes without an object in the forget buffer, by which they would be erased '
            '(raise the fraction or shots of sequence.forget, or set another sequence.buffer_'
            f"seed): {len(absent)} (the first is '{absent[0]}' of task 1)") in plan.warnings


def test_a_data_set_without_its_folder_is_refused(cfg):
    cfg.train_dataloader.dataset.data_prefix = dict(image='train/')
    with pytest.raises(ValueError, match='train.json needs data_prefix=dict.img'):
        make_plan(cfg)


@pytest.mark.parametrize('split', ['train', 'val'])
def test_a_missing_image_is_refused(cfg, glyph80, tmp_path, split):
    shutil.copytree(glyph80, tmp_path / 'glyph80')
    loader = cfg[f'{split}_dataloader']
    loader.dataset.data_root = str(tmp_path / 'glyph80')
    buffers = make_plan(cfg)[0].buffers
    lost = 1 if split == 'val' else buffers['retain'][0]
    path = tmp_path / f'glyph80/{split}/{lost:06d}.png'
    path.unlink()
    with pytest.raises(ValueError, match=f'missing images: 1 .the first is {path}'):
        make_plan(cfg)


def test_missing_coco_says_where_and_what_to_do(tmp_path):
    cfg = Config.fromfile(CONFIGS / 'ddetr_forget_80-10x7.py')
    cfg.train_dataloader.dataset.data_root = str(tmp_path)
    with pytest.raises(ValueError) as error:
        make_plan(cfg)
    text = str(error.value)
    assert str(tmp_path / 'annotations/instances_train2017.json') in text
    assert 'cocodataset.org' in text and 'configs/glyph80/ddetr_forget_80-10x7.py' in text
