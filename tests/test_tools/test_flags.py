"""What the flags of commands need in a config."""

import argparse

import pytest
from mmengine.config import Config
from support import CHECKPOINT

from gslora_det.config_file import load_config
from gslora_det.engine import plain
from gslora_det.weights.export import export
from gslora_det_cli import test as command
from gslora_det_cli.train import set_flags


def flags(**given):
    return argparse.Namespace(**dict(dict(amp=False, auto_scale_lr=False, config='c.py'), **given))


@pytest.mark.parametrize('settings, given, message', [
    (dict(), dict(amp=True), '--amp needs optim_wrapper=dict'),
    (dict(optim_wrapper=None), dict(amp=True), '--amp needs optim_wrapper=dict'),
    (dict(auto_scale_lr=None), dict(auto_scale_lr=True), '--auto-scale-lr needs auto_scale_lr='),
    (dict(auto_scale_lr=True), dict(auto_scale_lr=True), '--auto-scale-lr needs auto_scale_lr='),
    (dict(), dict(auto_scale_lr=True), '--auto-scale-lr needs auto_scale_lr=')])
def test_a_flag_says_what_it_needs(settings, given, message):
    with pytest.raises(ValueError, match=f'^{message}.* in c.py$'):
        set_flags(Config(settings), flags(**given))


def test_flags_change_the_config():
    cfg = Config(dict(optim_wrapper=dict(optimizer=dict(type='SGD')),
                      auto_scale_lr=dict(base_batch_size=16)))
    set_flags(cfg, flags(amp=True, auto_scale_lr=True))
    assert cfg.optim_wrapper.type in ('AmpOptimWrapper', 'Bf16OptimWrapper')
    assert cfg.auto_scale_lr == dict(base_batch_size=16, enable=True)


@pytest.mark.parametrize('left_out', ['val_dataloader', 'model'])
def test_export_needs_the_detector_and_its_classes(plain_config, tmp_path, left_out):
    with open(plain_config, 'a') as file:
        file.write(f'{left_out} = None')
    with pytest.raises(ValueError, match='detector.py needs model and val_dataloader, .*classes'):
        export(load_config(plain_config), str(CHECKPOINT), str(tmp_path / 'new/out.pth'))
    assert not (tmp_path / 'new').exists()


def test_a_config_without_tasks_has_no_task(plain_config):
    with pytest.raises(ValueError, match='--task is 3: .* has no sequence'):
        plain.evaluate(load_config(plain_config), str(CHECKPOINT), 3)


@pytest.mark.parametrize('out, message', [
    ('is.pth', 'is.pth exists: remove it'), ('new.safetensors', 'name it .pth')])
def test_an_export_takes_no_other_files_place(plain_config, tmp_path, out, message):
    (tmp_path / 'is.pth').write_text('precious')
    with pytest.raises(ValueError, match=message):
        export(load_config(plain_config), str(CHECKPOINT), str(tmp_path / out))
    assert (tmp_path / 'is.pth').read_text() == 'precious'
    assert not (tmp_path / 'new.safetensors').exists()


@pytest.mark.parametrize('wraps', [0, 1, 2])
def test_tta_reaches_the_data_set_inside_wrappers(plain_config, tmp_path, monkeypatch, wraps):
    with open(plain_config, 'a') as file:
        file.write("tta_model = dict(type='DetTTAModel')\ntta_pipeline = [dict(type='Tta')]\n")
    dataset = load_config(plain_config).test_dataloader.dataset.to_dict()
    (tmp_path / 'wrapped.py').write_text(
        f"_base_ = '{plain_config}'\ntest_dataloader = dict(dataset=dict(_delete_=True, **"
        + "dict(type='RepeatDataset', times=2, dataset=" * wraps + f'{dataset!r}'
        + ')' * wraps + '))\n')
    measured = []
    monkeypatch.setattr(plain, 'evaluate', lambda cfg, *_: measured.append(cfg))
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    command.run(parser.parse_args([str(tmp_path / 'wrapped.py'), str(CHECKPOINT), '--tta']))
    found = measured[0].test_dataloader.dataset
    for _ in range(wraps):
        assert found.type == 'RepeatDataset' and 'pipeline' not in found
        found = found.dataset
    assert found.to_dict() == dict(dataset, pipeline=[dict(type='Tta')])
