"""The public sets of photographs: how they become COCO, and what the configs expect of them."""

import importlib.util
import json

import pytest
from mmengine.config import Config
from PIL import Image
from support import CONFIGS, ROOT

SOURCES = dict(
    cards='the playing cards of EdjeElectronics\' tutorial on GitHub',
    aquarium='the Aquarium data set of Roboflow')


@pytest.fixture
def prepare(tmp_path, monkeypatch):
    spec = importlib.util.spec_from_file_location('prepare', CONFIGS / 'photos/prepare.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.chdir(tmp_path)
    return module


def test_pascal_voc_becomes_coco(prepare, tmp_path):
    sides = dict(xmin=97, ymin=136, xmax=275, ymax=368)
    box = ''.join(f'<{side}>{at}</{side}>' for side, at in sides.items())
    for part in ('train', 'test'):
        (tmp_path / 'images' / part).mkdir(parents=True)
        Image.new('RGB', (378, 504)).save(tmp_path / 'images' / part / 'one.JPG')
        (tmp_path / 'images' / part / 'one.xml').write_text(
            f'<annotation><object><name>ace</name><bndbox>{box}</bndbox></object></annotation>')
    prepare.main(['cards', str(tmp_path / 'images')])
    found = json.loads((tmp_path / 'data/cards/annotations/test.json').read_text())
    assert found['images'] == [dict(id=1, file_name='one.jpg', width=192, height=256)]
    with Image.open(tmp_path / 'data/cards/test/one.jpg') as image:
        assert image.size == (192, 256)
    ace, = found['annotations']
    assert ace['bbox'] == pytest.approx([49.27, 69.08, 90.41, 117.84], abs=0.01)
    assert found['categories'][ace['category_id'] - 1] == dict(id=6, name='ace')


def test_coco_export_becomes_coco(prepare, tmp_path):
    for part in ('train', 'valid', 'test'):
        (tmp_path / 'export' / part).mkdir(parents=True)
        Image.new('RGB', (768, 1024)).save(tmp_path / 'export' / part / 'one.jpg')
        (tmp_path / 'export' / part / '_annotations.coco.json').write_text(json.dumps(dict(
            images=[dict(id=0, file_name='one.jpg')],
            categories=[dict(id=0, name='creatures'), dict(id=1, name='fish')],
            annotations=[dict(id=0, image_id=0, category_id=1, bbox=[4, 8, 40, 80])])))
    prepare.main(['aquarium', str(tmp_path / 'export')])
    found = json.loads((tmp_path / 'data/aquarium/annotations/valid.json').read_text())
    assert found['categories'] == [dict(id=1, name='fish')]  # those that have objects
    assert found['annotations'][0]['bbox'] == [1, 2, 10, 20]


@pytest.mark.parametrize('name, said', [
    ('cards', 'train has no annotated images'), ('aquarium', 'No such file')])
def test_what_is_not_there_is_said_and_nothing_is_written(prepare, tmp_path, capsys, name, said):
    with pytest.raises(SystemExit):
        prepare.main([name, str(tmp_path / 'nowhere')])
    assert said in capsys.readouterr().err and not (tmp_path / 'data').exists()


@pytest.mark.parametrize('name', SOURCES)
def test_classes_of_the_configs_are_those_of_the_photographs(name):
    folder = ROOT / 'data' / name / 'annotations'
    if not folder.exists():
        pytest.skip(f'{folder.parent} is absent: {SOURCES[name]}, see docs/photos.md')
    cfg = Config.fromfile(CONFIGS / f'_base_/datasets/{name}_detection.py')
    for path in folder.glob('*.json'):
        names = [each['name'] for each in json.loads(path.read_text())['categories']]
        assert tuple(names) == tuple(cfg.metainfo.classes)
