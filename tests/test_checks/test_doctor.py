import sys
from importlib.metadata import version

import pytest
from mmengine.config import Config
from support import CHECKPOINT, CONFIGS

from gslora_det.checks.doctor import checks, diagnose


@pytest.fixture
def examine(capsys):
    """Checks a config; gives the names of what passed, and the lines that failed."""
    def run(cfg):
        healthy = diagnose(checks(cfg))
        lines = [line for line in capsys.readouterr().out.splitlines()
                 if line.startswith(('PASS', 'FAIL'))]
        failed = [line for line in lines if line.startswith('FAIL')]
        assert healthy == (not failed)
        return [line[6:].split(':')[0] for line in lines if line not in failed], failed
    return run


INSTALLATION = ['versions', 'mmcv operators', 'COCO evaluation', "MMDetection's configs", 'device']
ALL = [*INSTALLATION, 'checkpoint', 'data set', 'class names, buffers and method']


def test_a_good_config_passes_as_often_as_it_is_asked(examine, config, tmp_path):
    cfg = config(tmp_path / 'run')
    assert examine(cfg) == examine(cfg) == (ALL, [])
    assert not (tmp_path / 'run').exists()


def test_a_finished_sequence_passes(examine, config, finished):
    assert examine(config(finished)) == (ALL, [])


@pytest.mark.parametrize('options, message', [
    ({'method.rank': 200}, 'rank is 200: a layer of 128 inputs'),
    ({'method.targets': ['encoder.layer.*']}, "target 'encoder.layer"),
    ({'method.betta': 1}, "has no option 'betta'"),
    ({'sequence.original': 'nowhere.json'}, 'nowhere.json is missing'),
])
def test_what_train_refuses_fails(examine, config, tmp_path, options, message):
    passed, (failed,) = examine(config(tmp_path, **options))
    assert passed == ALL[:-1] and message in failed


def test_a_detector_of_another_family_fails(examine, config, tmp_path):
    cfg = config(tmp_path)
    cfg.model = Config.fromfile(CONFIGS / 'glyph80/crop-classifier_r18_4e_glyph80.py').model
    passed, (_, failed) = examine(cfg)
    assert passed == [*INSTALLATION, 'data set']
    assert 'CropClassifier cannot be unlearned' in failed


def test_a_plain_config_needs_neither_validation_nor_checkpoint(examine):
    cfg = Config.fromfile(CONFIGS / 'glyph80/crop-classifier_r18_4e_glyph80.py')
    assert examine(cfg) == ([*INSTALLATION, 'data set'], [])
    cfg.pop('train_dataloader')
    assert examine(cfg) == (INSTALLATION, ['FAIL  data set: train_dataloader is missing'])


def test_a_plain_config_may_start_from_a_detector_of_other_classes(examine, config, tmp_path):
    cfg = config(tmp_path, **{'model.bbox_head.num_classes': 5})
    cfg.pop('sequence')
    assert examine(cfg) == (ALL[:-1], [])
    cfg.load_from = f'{CHECKPOINT}.gone'
    passed, (failed,) = examine(cfg)
    assert passed == INSTALLATION  # no data are drawn where the checkpoint is not
    assert failed == f'FAIL  checkpoint: checkpoint {CHECKPOINT}.gone does not exist'


@pytest.mark.parametrize('installed', [True, False])
def test_it_says_what_matches_boxes(capsys, monkeypatch, installed):
    if installed:
        found = f'faster_coco_eval {pytest.importorskip("faster_coco_eval").__version__}\n'
    else:
        monkeypatch.setitem(sys.modules, 'faster_coco_eval', None)
        found = f'pycocotools {version("pycocotools")}; to match boxes in C++: pip install'
    assert diagnose(checks())
    assert f'PASS  COCO evaluation: {found}' in capsys.readouterr().out


def test_mmengine_without_pkg_resources_fails(examine, monkeypatch):
    def get_config(name):
        raise ModuleNotFoundError("No module named 'pkg_resources'")

    monkeypatch.setattr('gslora_det.checks.doctor.get_config', get_config)
    _, (failed,) = examine(None)
    assert 'pkg_resources' in failed and failed.endswith('pip install "setuptools<81"')
