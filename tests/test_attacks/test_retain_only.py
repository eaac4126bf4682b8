"""Training without an erased object."""

import shutil
from types import SimpleNamespace

from gslora_det.attacks import RetainOnly
from gslora_det.attacks.run import AttackRun
from gslora_det.files import read_json


def test_a_tenth_of_the_images_without_erased_objects(material, hidden, shown):
    erased = {material.classes[label] for label in hidden.classes}
    free = {number for number, names in shown.items() if names and not names & erased}
    ids = {material.train.get_data_info(i)['img_id'] for i in RetainOnly(material).images(hidden)}
    assert ids <= free and len(ids) == len(free) // 10
    assert RetainOnly(material).misses(SimpleNamespace()) is None


def test_without_such_an_image_it_is_left_out(finished, tmp_path, glyph80, trained_on, capsys):
    """Every image shows the erased classes: nothing would train, and nothing come back."""
    shutil.copytree(finished, tmp_path / 'run')
    coco = read_json(glyph80 / 'annotations/train.json')
    erased = read_json(finished / 'sequence.json')['request'][0][0]
    category, = (each['id'] for each in coco['categories'] if each['name'] == erased)
    first = len(coco['annotations']) + 10**6
    coco['annotations'] += [dict(
        id=first + i, image_id=image['id'], category_id=category, bbox=[1, 1, 9, 9], area=81,
        iscrowd=0) for i, image in enumerate(coco['images'])]
    cfg = trained_on(tmp_path / 'run', coco)
    record = AttackRun(tmp_path / 'run', cfg, ['retained only'], [1]).run()
    assert record['attacks'] == []
    assert ('task 1: retained only: left out for lack of training images without an erased '
            'object') in capsys.readouterr().out
