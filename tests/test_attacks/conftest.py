"""What is attacked in tests: four erased classes of a small Glyph80."""

import pytest
import torch
from mmengine.config import Config
from support import CHECKPOINT

from gslora_det.attacks.base import Target
from gslora_det.attacks.controls import targets
from gslora_det.attacks.material import Material
from gslora_det.engine.record import read_record, save_record
from gslora_det.engine.task_config import CONFIG
from gslora_det.files import read_json, sha256, write_json
from gslora_det.quiet import hushed_logs
from gslora_det.weights import read_weights

ERASED = ['Latin f', 'Greek alpha', 'Latin r', 'digit 2']  # all are in the validation images


@pytest.fixture(scope='session')
def make_material(config, tmp_path_factory):
    """Makes the material of attacks on a detector, by default the Deformable DETR."""
    def make(model=None):
        cfg = config(tmp_path_factory.mktemp('attacks'))
        cfg.model = model or cfg.model
        return Material(cfg, ERASED)
    return make


@pytest.fixture(scope='session')
def material(make_material):
    return make_material()


@pytest.fixture(scope='session')
def original():
    """The weights before any erasure."""
    return read_weights(str(CHECKPOINT))


@pytest.fixture(scope='session')
def hidden(material, original):
    """The original with reset class rows: the classes are only hidden."""
    found = targets(['head mask'], material, original, original)['head mask']
    return Target('unlearned', found.weights, found.classes, original=original)


@pytest.fixture(scope='session')
def gone(material, hidden, original):
    """The same, with what the decoder adds to its last embeddings drawn anew."""
    detector = material.detector(hidden.weights)
    torch.manual_seed(0)
    for weight in detector.decoder.parameters():
        weight.normal_(std=0.05)
    return Target('unlearned', detector.state_dict(), hidden.classes, original=original)


@pytest.fixture(scope='session')
def known(material, original):
    """AP of the erased classes before."""
    detector = material.detector(original)
    return material.measure(detector, material.prefix(detector), material.erased)


@pytest.fixture(autouse=True)
def hushed():
    with hushed_logs():
        yield


@pytest.fixture(scope='session')
def shown(glyph80):
    """Names of the classes that each training image shows, by its id, from the file."""
    coco = read_json(glyph80 / 'annotations/train.json')
    names = {each['id']: each['name'] for each in coco['categories']}
    found = {image['id']: set() for image in coco['images']}
    for each in coco['annotations']:
        found[each['image_id']].add(names[each['category_id']])
    return found


@pytest.fixture
def trained_on(tmp_path):
    """Makes a run one of other training annotations; gives its config."""
    def trained_on(work_dir, coco):
        path, record = tmp_path / 'train.json', read_record(work_dir)
        write_json(path, coco)
        record['settings']['data']['train']['annotations_sha256'] = sha256(path)
        save_record(work_dir, record)
        cfg = Config.fromfile(work_dir / CONFIG)
        cfg.train_dataloader.dataset.ann_file = str(path)
        return cfg
    return trained_on
