"""Whatever ids a COCO file has: the results are those of the same data with ids 1, 2, …"""

import json

import pytest
import torch
from mmdet.registry import METRICS
from mmengine.config import Config
from support import CONFIGS

from gslora_det.datasets import BranchDataset
from gslora_det.engine.plan import make_plan
from gslora_det.files import write_json

FAR = 2**53 + 1  # the first whole number that no float is equal to
NAMES = ('digit 2', 'digit 3', 'Latin A')


def renumbered(coco, images, annotations, categories):
    """The file with other ids; each is a function of the old one."""
    return dict(
        images=[dict(i, id=images(i['id'])) for i in coco['images']],
        categories=[dict(c, id=categories(c['id'])) for c in coco['categories']],
        annotations=[dict(a, id=annotations(a['id']), image_id=images(a['image_id']),
                          category_id=categories(a['category_id'])) for a in coco['annotations']])


WAYS = dict(
    zero=(lambda i: i - 1,) * 3, negative=(lambda i: -i,) * 3,
    around_zero=(lambda i: i - 6, lambda i: i - 9, lambda i: i - 2),
    beyond_floats=(lambda i: FAR + i,) * 3,
    largest=(lambda i: 2**63 - i,) * 3, smallest=(lambda i: -2**63 + i - 1,) * 3)


@pytest.fixture(scope='module')
def coco(glyph80):
    content = json.loads((glyph80 / 'annotations/val.json').read_text())
    assert min(a['id'] for a in content['annotations']) == 1
    return content


def measured(path, coco, backend):
    """AP with a detection on every second object of each class and a false one an image."""
    path.write_text(json.dumps(coco))
    names = [category['name'] for category in coco['categories']]
    label = {category['id']: i for i, category in enumerate(coco['categories'])}
    metric = METRICS.build(dict(type='SplitCocoMetric', ann_file=str(path), backend=backend,
                                splits=dict(forgotten=names[:40], retained=names[40:])))
    metric.dataset_meta = dict(classes=names)
    for image in coco['images']:
        shown = [a for a in coco['annotations'] if a['image_id'] == image['id']]
        x, y, w, h = torch.tensor([a['bbox'] for a in shown[::2]] + [[5, 5, 9, 9]]).float().T
        labels = [label[a['category_id']] for a in shown[::2]] + [0]
        metric.process({}, [dict(
            img_id=image['id'], ori_shape=(image['height'], image['width']),
            pred_instances=dict(bboxes=torch.stack([x, y, x + w, y + h], 1),
                                scores=torch.linspace(0.9, 0.1, len(labels)),
                                labels=torch.tensor(labels)))])
    return metric.evaluate(len(coco['images']))


@pytest.mark.parametrize('backend', ['pycocotools', 'faster_coco_eval'])
def test_ap_does_not_depend_on_ids(coco, tmp_path, backend):
    expected = measured(tmp_path / 'a.json', coco, 'pycocotools')
    assert 0.2 < expected['coco/AP'] < 0.9
    for name, way in WAYS.items():
        if backend == 'faster_coco_eval' and way[0](1) in (FAR + 1, 2**63 - 1, -2**63):
            with pytest.raises(ValueError, match='image ids beyond 2.53: 12 .*would round'):
                measured(tmp_path / 'a.json', renumbered(coco, *way), backend)
            continue
        found = measured(tmp_path / 'a.json', renumbered(coco, *way), backend)
        assert found == pytest.approx(expected, nan_ok=True), name


def test_the_only_object_of_a_class_may_have_id_zero(coco, tmp_path):
    """COCOeval takes 0 for no object: a perfect AP would be 0."""
    alone = dict(coco, annotations=[dict(coco['annotations'][0], id=0)])
    assert measured(tmp_path / 'a.json', alone, 'pycocotools')['coco/AP'] == pytest.approx(1)


def test_buffers_and_labels_do_not_depend_on_ids(glyph80, tmp_path):
    whole = json.loads((glyph80 / 'annotations/train.json').read_text())
    kept = {c['id']: c['name'] for c in whole['categories'] if c['name'] in NAMES}
    whole = dict(whole, categories=[c for c in whole['categories'] if c['id'] in kept],
                 annotations=[a for a in whole['annotations'] if a['category_id'] in kept])

    def shown(way):
        """File names and classes of the objects of both buffers."""
        (tmp_path / 'a.json').write_text(json.dumps(renumbered(whole, *way)))
        cfg = Config.fromfile(CONFIGS / 'glyph80/ddetr_forget_80-1.py')
        data = dict(type='CocoDataset', ann_file=str(tmp_path / 'a.json'), pipeline=[],
                    data_prefix=dict(img=str(glyph80 / 'train')), metainfo=dict(classes=NAMES))
        cfg.train_dataloader, cfg.val_dataloader = dict(dataset=data), dict(dataset=data)
        cfg.val_evaluator, cfg.load_from = dict(type='CocoMetric'), str(tmp_path / 'w.pth')
        torch.save({}, cfg.load_from)
        cfg.sequence = dict(tasks=[['digit 3']], iters=1, **{
            branch: dict(fraction=1.0, batch_size=1) for branch in ('forget', 'retain')})
        task, = make_plan(cfg)
        write_json(tmp_path / 'buffers.json', task.buffers)
        return {branch: sorted(
            (info['img_path'], instance['bbox_label'])
            for info in BranchDataset(data, branch, str(tmp_path / 'buffers.json'),
                                      keep).dataset.data_list
            for instance in info['instances'])
            for branch, keep in dict(forget=['digit 3'], retain=['digit 2', 'Latin A']).items()}

    expected = shown((lambda i: i,) * 3)
    assert {label for _, label in expected['forget']} == {1}
    assert {label for _, label in expected['retain']} == {0, 2}
    assert all(shown(way) == expected for way in WAYS.values())
