import runpy

from conftest import ROOT
from mmengine.config import Config

from gslora_det.registry import METHODS


def test_results_are_generated_from_the_records():
    script = runpy.run_path(str(ROOT / 'docs/update_results.py'))
    assert script['updated_readme']() == (ROOT / 'README.md').read_text('utf-8')


def test_the_example_config_extends_an_mmdet_config(tmp_path):
    text = (ROOT / 'README.md').read_text('utf-8')
    example = text.split('```python\n')[1].split('```')[0]
    # A config with MMDet's usual keys: an optimiser and a schedule of its own.
    (tmp_path / 'my_deformable-detr.py').write_text(
        "model = dict(type='DeformableDETR')\n"
        "optim_wrapper = dict(type='OptimWrapper', paramwise_cfg=dict(bias_lr_mult=2))\n"
        "param_scheduler = [dict(type='MultiStepLR', milestones=[40])]\n")
    (tmp_path / 'mine.py').write_text(example)
    cfg = Config.fromfile(tmp_path / 'mine.py')
    assert cfg.model.type == 'DeformableDETR' and 'paramwise_cfg' not in cfg.optim_wrapper
    split = dict(retained=['car'], forgotten=['face'])
    METHODS.build(dict(cfg.method, classes=['face', 'car'], split=split))
