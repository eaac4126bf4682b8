import copy
import json
import math
import re

import pytest

from gslora_det.checks.annotation_file import check_annotations

COCO = dict(
    images=[dict(id=i, file_name=f'{i}.png', width=100, height=80) for i in (1, 2)],
    categories=[dict(id=7, name='cat'), dict(id=9, name='dog')],
    annotations=[
        dict(id=i, image_id=1, category_id=c, bbox=[10, 10, 20, 20], area=400, iscrowd=0)
        for i, c in ((1, 7), (2, 9), (3, 9))])


def changed(part, index, **values):
    coco = copy.deepcopy(COCO)
    for key, value in values.items():
        if value is KeyError:
            del coco[part][index][key]
        else:
            coco[part][index][key] = value
    return coco


def test_a_good_file_has_no_warnings():
    assert check_annotations(COCO, 'a.json', ['cat', 'dog']) == []


@pytest.mark.parametrize('coco', [
    [], None, 'text', {}, dict(COCO, images=None), dict(COCO, annotations={}),
    dict(COCO, categories=['cat'])])
def test_what_is_no_coco_file(coco):
    with pytest.raises(ValueError, match='a.json is no COCO file'):
        check_annotations(coco, 'a.json', ['cat'])


@pytest.mark.parametrize('part, index, values, message', [
    ('images', 1, dict(id=1), 'image ids used twice: 1 .the first is 1'),
    ('images', 0, dict(id='1'), 'image ids that are no whole number'),
    ('images', 0, dict(id=KeyError), 'image ids that are no whole number'),
    ('images', 0, dict(id=1.0), 'image ids that are no whole number'),
    ('images', 0, dict(id=True), 'image ids that are no whole number'),
    *((part, 0, dict(id=wrong), f'{part[:-1].replace("categorie", "category")} ids that are not '
       'from -9,223,372,036,854,775,808 to 9,223,372,036,854,775,807: 1 .the first is ')
      for part in ('images', 'annotations', 'categories') for wrong in (2**63, -2**63 - 1)),
    ('annotations', 0, dict(image_id=[1]), 'annotations of an unknown image'),
    ('annotations', 0, dict(category_id='7'), 'annotations of an unknown category'),
    ('images', 0, dict(file_name=KeyError), 'image entries without a valid file_name'),
    ('images', 0, dict(width=0), 'image entries without a valid width'),
    ('images', 0, dict(height=KeyError), 'image entries without a valid height'),
    ('images', 0, dict(height=math.nan), 'image entries without a valid height'),
    ('categories', 1, dict(id=7), 'category ids used twice'),
    ('categories', 1, dict(name='cat'), "not among the categories.*: 1 .the first is 'dog'"),
    ('categories', 1, dict(name=KeyError), 'category entries without a valid name'),
    ('annotations', 1, dict(id=1), 'annotation ids used twice: 1 .the first is 1'),
    ('annotations', 0, dict(image_id=5), 'annotations of an unknown image'),
    ('annotations', 0, dict(image_id=KeyError), 'annotations of an unknown image'),
    ('annotations', 0, dict(category_id=5), 'annotations of an unknown category'),
    ('annotations', 0, dict(bbox=KeyError), 'annotation entries without a valid bbox'),
    ('annotations', 0, dict(bbox=[1, 2, 3]), 'annotation entries without a valid bbox'),
    ('annotations', 0, dict(bbox=[0, 0, math.nan, 5]), 'without a valid bbox'),
    ('annotations', 0, dict(bbox=[0, 0, math.inf, 5]), 'without a valid bbox'),
    ('annotations', 0, dict(bbox=[0, 0, 1e30, 5]), 'without a valid bbox'),
    ('annotations', 0, dict(bbox=[0, 0, '20', 5]), 'without a valid bbox'),
    ('annotations', 0, dict(area=KeyError), 'annotation entries without a valid area'),
    ('annotations', 0, dict(area=math.nan), 'annotation entries without a valid area'),
    ('annotations', 0, dict(iscrowd=KeyError), 'annotation entries without a valid iscrowd'),
])
def test_what_cannot_be_used_is_refused(part, index, values, message):
    with pytest.raises(ValueError, match=f'^a.json: .*{message}') as error:
        check_annotations(changed(part, index, **values), 'a.json', ['cat', 'dog'])
    assert '\n' not in str(error.value)


@pytest.mark.parametrize('part, index, values, message', [
    ('annotations', 1, dict(bbox=[10, 10, 0, 20]), 'smaller than a pixel, not trained on: 1'),
    ('annotations', 1, dict(bbox=[10, 10, -5, 20]), 'smaller than a pixel, not trained on: 1'),
    ('annotations', 1, dict(area=0), 'smaller than a pixel, not trained on: 1'),
    ('annotations', 1, dict(bbox=[200, 10, 5, 5]), 'outside their image, not trained on: 1'),
    ('annotations', 1, dict(bbox=[-9, 10, 5, 5]), 'outside their image, not trained on: 1'),
    ('annotations', 1, dict(bbox=[90, 10, 30, 5]), 'reach beyond their image: 1'),
])
def test_what_is_left_out_is_counted(part, index, values, message):
    warning, = check_annotations(changed(part, index, **values), 'a.json', ['cat', 'dog'])
    assert re.search(message, warning)


def test_one_missing_class_is_one_and_not_all_in_another_order():
    names = [f'class {number}' for number in range(80)]
    coco = dict(COCO, annotations=[], categories=[
        dict(id=number, name=name) for number, name in enumerate(names) if number != 3])
    with pytest.raises(ValueError) as error:
        check_annotations(coco, 'a.json', names)
    assert ": 1 (the first is 'class 3')" in str(error.value)
    assert 'order' not in str(error.value)


@pytest.mark.parametrize('classes, message', [
    (['cat', 'dog\n'], "name has a line break: 1 .the first is 'dog.n'"),
    (['cat', 'dog', 'cat'], "that are named twice: 1 .the first is 'cat'")])
def test_classes_that_no_file_can_have_are_refused(classes, message):
    coco = changed('categories', 1, name=classes[1])
    with pytest.raises(ValueError, match=message) as error:
        check_annotations(coco, 'a.json', classes)
    assert 'order' not in str(error.value)


def test_everything_is_said_at_once():
    coco = changed('annotations', 0, bbox=None)
    coco['annotations'][2]['id'] = 2
    coco['images'][0]['width'] = None
    with pytest.raises(ValueError, match='width.*used twice.*bbox|width.*bbox.*used twice'):
        check_annotations(coco, 'a.json', ['cat', 'dog'])


def test_mmdetection_leaves_out_what_the_warning_says(tmp_path):
    from mmdet.datasets import CocoDataset
    boxes = [[10, 10, 20, 20], [10, 10, 0, 20], [10, 10, 20, 0.5], [200, 10, 5, 5],
             [10, -9, 5, 5], [90, 10, 30, 5]]
    coco = dict(COCO, annotations=[
        dict(COCO['annotations'][0], id=i, bbox=box) for i, box in enumerate(boxes)])
    (tmp_path / 'a.json').write_text(json.dumps(coco))
    loaded = CocoDataset(ann_file=str(tmp_path / 'a.json'), test_mode=True,
                         metainfo=dict(classes=('cat', 'dog')), pipeline=[],
                         data_prefix=dict(img=''))
    left_out = len(boxes) - len(loaded.get_data_info(0)['instances'])
    counts = [int(line.split('trained on: ')[1].split()[0]) for line in check_annotations(
        coco, 'a.json', ['cat', 'dog']) if 'not trained on' in line]
    assert left_out == sum(counts) == 4
