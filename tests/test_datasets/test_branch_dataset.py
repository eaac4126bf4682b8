import json

import pytest
from mmdet.registry import DATASETS
from mmengine.dataset import pseudo_collate

from gslora_det.datasets.glyph_rendering import CLASSES


def branch(glyph80, tmp_path, name='forget', indices=None, **options):
    buffers = tmp_path / 'buffers.json'
    buffers.write_text(json.dumps(dict(forget=[3, 5, 8], retain=[5, 9])))
    annotations = json.loads((glyph80 / 'annotations/train.json').read_text())['annotations']
    shown = {CLASSES[a['category_id'] - 1] for a in annotations if a['image_id'] == 5}
    keep = sorted(shown)[:1]
    dataset = DATASETS.build(dict(
        type='BranchDataset', branch=name, buffers=str(buffers), keep=keep,
        dataset=dict(type='Glyph80Dataset', data_root=str(glyph80),
                     ann_file='annotations/train.json', data_prefix=dict(img='train/'),
                     indices=indices, pipeline=[dict(type='LoadImageFromFile'),
                               dict(type='LoadAnnotations', with_bbox=True),
                               dict(type='PackDetInputs')]), **options))
    boxes = {i: [a for a in annotations if a['image_id'] == i] for i in (3, 5, 8, 9)}
    return dataset, CLASSES.index(keep[0]), boxes


def test_exactly_the_buffer_and_the_kept_boxes(glyph80, tmp_path):
    dataset, label, boxes = branch(glyph80, tmp_path)
    assert len(dataset) == 3
    for index in range(3):
        sample = dataset[index]['data_samples']['forget']
        expected = [b['bbox'] for b in boxes[sample.img_id] if b['category_id'] == label + 1]
        found = sample.gt_instances.bboxes.numpy() if len(sample.gt_instances) else []
        assert [[x, y, x + w, y + h] for x, y, w, h in expected] == [list(b) for b in found]
        assert set(sample.gt_instances.labels.tolist()) <= {label}
        assert len(sample.ignored_instances) == 0


@pytest.mark.parametrize('reading', ['ignore', 'keep'])
def test_other_objects_can_be_ignored(glyph80, tmp_path, reading):
    dataset, label, boxes = branch(glyph80, tmp_path, mixed_images=reading)
    for index in range(3):
        sample = dataset[index]['data_samples']['forget']
        others = [b for b in boxes[sample.img_id] if b['category_id'] != label + 1]
        assert len(sample.ignored_instances) == len(others)


@pytest.mark.parametrize('crowds, ignored', [('ignore', 1), ('background', 0)])
def test_crowds_are_ignored_or_no_objects(glyph80, tmp_path, crowds, ignored):
    dataset, label, _ = branch(glyph80, tmp_path, crowds=crowds)
    instances = dataset.dataset.data_list[1]['instances']
    one, crowd = dict(bbox_label=label, ignore_flag=0), dict(bbox_label=label, ignore_flag=1)
    kept = dataset._select([one, crowd, dict(crowd, bbox_label=label + 1)], {label})
    assert instances and kept == [one, dict(crowd, bbox_label=-1)][:1 + ignored]


@pytest.mark.parametrize('crowds, others', [('ignore', [(-1, 1), (-1, 1)]), ('background', [])])
def test_ignored_objects_keep_their_class_and_other_crowds_are_ignored_too(
        glyph80, tmp_path, crowds, others):
    dataset, _, _ = branch(glyph80, tmp_path, mixed_images='ignore', crowds=crowds)
    given = [(0, 0), (1, 0), (0, 1), (1, 1)]  # label and whether a crowd; 0 is kept
    kept = dataset._select([dict(bbox_label=a, ignore_flag=b) for a, b in given], {0})
    assert [tuple(each.values()) for each in kept] == [(0, 0), (1, 1), *others]


def test_unknown_reading_of_mixed_images(glyph80, tmp_path):
    with pytest.raises(ValueError, match="mixed_images is 'drop'"):
        branch(glyph80, tmp_path, mixed_images='drop')


def test_a_data_set_that_lacks_images_of_the_buffer_is_refused(glyph80, tmp_path):
    with pytest.raises(ValueError, match='forget buffer has 3 images, .* gives 1: remove indices'):
        branch(glyph80, tmp_path, indices=4)


def test_items_follow_the_multi_branch_convention(glyph80, tmp_path):
    from mmdet.registry import MODELS
    preprocessor = MODELS.build(dict(
        type='MultiBranchDataPreprocessor',
        data_preprocessor=dict(type='DetDataPreprocessor', mean=[0.0] * 3, std=[1.0] * 3)))
    forget, _, _ = branch(glyph80, tmp_path)
    retain, _, _ = branch(glyph80, tmp_path, 'retain')
    batch = preprocessor(pseudo_collate([forget[0], forget[1], retain[0]]), training=True)
    assert batch['inputs']['forget'].shape == (2, 3, 128, 128)
    assert batch['inputs']['retain'].shape == (1, 3, 128, 128)
    assert [s.img_id for s in batch['data_samples']['forget']] == [3, 5]
