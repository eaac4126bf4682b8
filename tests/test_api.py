"""The functions that README shows."""

import dataclasses
import inspect

import pytest
from support import CHECKPOINT

import gslora_det
from gslora_det.checks.config import check_config
from gslora_det.config_file import override, read_config
from gslora_det.files import read_json, sha256
from gslora_det.recipe import set_request, settings_by_name
from gslora_det.weights import read_meta

SMALL = {'iters': 2, 'pictures': 0, 'sequence.forget.batch_size': 2,
         'sequence.retain.batch_size': 2}


@pytest.fixture
def erased(plain_config, tmp_path):
    return gslora_det.erase(plain_config, str(CHECKPOINT), ['digit 7', 'Greek pi'],
                            tmp_path / 'run', rank=4, **SMALL)


def test_erase_says_what_it_measured_and_where(erased, tmp_path):
    record = read_json(tmp_path / 'run/sequence.json')
    assert erased.work_dir == tmp_path / 'run'
    assert record['request'] == [['digit 7', 'Greek pi']]
    assert record['method_config']['rank'] == 4 and record['settings']['sequence']['iters'] == 2
    metrics = record['tasks'][0]['metrics']
    row, = erased.requests
    assert row['AP_forgotten'] == metrics['AP_forgotten']
    assert row['AP_retained_relative'] == pytest.approx(
        metrics['AP_retained'] / record['tasks'][0]['original']['AP_retained'])
    assert sha256(erased.weights) == record['tasks'][0]['merged']['sha256']
    assert read_meta(erased.weights)['forgotten'] == ['digit 7', 'Greek pi']


def test_a_later_request_and_an_attack(erased, plain_config, tmp_path, capsys):
    later = gslora_det.erase(plain_config, erased.weights, [['Latin R']], tmp_path / 'later',
                             **SMALL)
    assert read_meta(later.weights)['old'] == ['digit 7', 'Greek pi']
    assert later.record['original_weights']['sha256'] == sha256(CHECKPOINT)
    found = gslora_det.attack(later.work_dir, ['as it is'])
    assert {entry['attack'] for entry in found} == {'as it is'}
    assert found == read_json(tmp_path / 'later/attacks.json')['attacks']
    with pytest.raises(ValueError, match='holds a sequence already'):
        gslora_det.erase(plain_config, erased.weights, [['Latin R']], later.work_dir, **SMALL)


def test_one_class_and_hooks_of_a_detectors_own_training(plain_config, capsys):
    with open(plain_config, 'a') as file:
        file.write("custom_hooks = [dict(type='EMAHook')]")
    cfg = read_config(plain_config)
    set_request(cfg, str(CHECKPOINT), 'digit 7')
    assert cfg.sequence.tasks == [['digit 7']] and cfg.custom_hooks == []
    said, = capsys.readouterr().out.splitlines()
    assert said.startswith(f'custom_hooks of {plain_config} are left out')


@pytest.mark.parametrize('arguments, message', [
    (dict(classes=['digit 77']), "unknown class 'digit 77'; the nearest are 'digit 7'"),
    (dict(classes=None), 'has no sequence, which would say what to erase: name classes'),
    (dict(iter=3), "neither sequence nor method has a setting 'iter': did you mean 'iters'?"),
    (dict(margin=-1.0), 'margin is -1.0'),
    (dict(checkpoint='nowhere.pth'), 'checkpoint nowhere.pth does not exist')])
def test_what_does_not_fit_is_said_and_nothing_is_written(
        plain_config, tmp_path, arguments, message):
    arguments = dict(dict(checkpoint=str(CHECKPOINT), classes=['digit 7']), **arguments)
    with pytest.raises(ValueError, match=message):
        gslora_det.erase(plain_config, work_dir=tmp_path / 'run', **arguments)
    assert not (tmp_path / 'run').exists()


def test_a_request_replaces_what_the_config_asked():
    cfg = read_config('gslora_det::glyph80/ddetr_forget_80-5_linear.py')
    method, iters = cfg.method.to_dict(), cfg.sequence.iters
    set_request(cfg, classes=['digit 7'])
    assert cfg.sequence.tasks == [['digit 7']] and 'order' not in cfg.sequence
    assert 'oracles' not in cfg  # they know the digit
    assert (cfg.method.to_dict(), cfg.sequence.iters) == (method, iters)


@pytest.mark.parametrize('detector, method, beta, rate', [
    ('deformable-detr_r18', 'LinearErasure', None, 1e-3), ('dino_r18', 'GSLoRA', 0.3, 1e-3),
    ('retinanet_r18', 'GSLoRA', 5.0, 5e-3), ('rtmdet_r18', 'GSLoRA', 5.0, 5e-3),
    ('deformable-detr_r18_softmax', 'GSLoRA', 1.0, 2e-3),
    ('faster-rcnn_r18', 'GSLoRA', 1.0, 2e-3)])
def test_every_family_has_its_recipe(detector, method, beta, rate):
    """docs/own-data.md and docs/detectors.md have these numbers."""
    cfg = read_config(f'gslora_det::_base_/models/{detector}_glyph80.py')
    cfg.filename = 'mine.py'
    set_request(cfg, 'my.pth', [3])
    assert (cfg.method.type, cfg.method.get('beta')) == (method, beta)
    assert cfg.optim_wrapper.optimizer.lr == rate
    assert cfg.sequence.tasks == [[3]] and cfg.load_from == 'my.pth'


def with_recipe(config, **settings):
    cfg = read_config(config)
    set_request(cfg, 'my.pth', ['digit 7'])
    return override(cfg, settings_by_name(cfg, settings))


@pytest.mark.parametrize('forget', [
    {'sequence.forget.shots': 20}, {'forget': dict(shots=20)},
    {'sequence.forget.shots': 20, 'sequence.forget.fraction': None}])
def test_a_setting_takes_the_place_of_the_recipes_other_way(plain_config, forget):
    recipe = with_recipe(plain_config).sequence
    assert recipe.iters and recipe.forget.fraction
    cfg = with_recipe(plain_config, epochs=3, **forget)
    check_config(cfg)
    asked = cfg.sequence
    assert (asked.get('iters'), asked.epochs) == (None, 3)
    assert (asked.forget.get('fraction'), asked.forget.shots) == (None, 20)
    assert asked.forget.batch_size == recipe.forget.batch_size
    assert asked.retain == recipe.retain


def test_a_sequence_of_the_configs_own_says_what_it_sets_and_no_more(plain_config):
    recipe = with_recipe(plain_config).sequence
    cfg = read_config(plain_config)
    cfg.sequence = dict(epochs=None, forget=dict(shots=4, batch_size=None),
                        retain=dict(batch_size=2))
    set_request(cfg, 'my.pth', ['digit 7'])
    assert cfg.sequence.iters == recipe.iters and 'fraction' not in cfg.sequence.forget
    assert cfg.sequence.forget == dict(shots=4, batch_size=recipe.forget.batch_size)
    assert cfg.sequence.retain == dict(batch_size=2, fraction=recipe.retain.fraction)


def test_both_ways_at_once_are_still_refused_and_none_is_no_way(plain_config):
    assert with_recipe(plain_config, epochs=None).sequence.iters
    both = with_recipe(plain_config, iters=3, epochs=3,
                       **{'sequence.retain.shots': 2, 'sequence.retain.fraction': 0.1})
    assert both.sequence.retain.fraction == 0.1
    with pytest.raises(ValueError, match='sequence needs either iters'):
        check_config(both)


def test_a_model_that_cannot_be_built_is_said_in_one_line(tmp_path):
    (tmp_path / 'mine.py').write_text("model = dict(type='DETR', neck=1)\nsequence = dict()")
    with pytest.raises(ValueError, match='mine.py: model: ') as error:
        read_config(tmp_path / 'mine.py')
    assert '\n' not in str(error.value)


def test_public_functions_are_typed_and_described():
    for function in (gslora_det.erase, gslora_det.attack, gslora_det.report):
        parameters = inspect.signature(function).parameters.values()
        for parameter in parameters:
            assert parameter.kind is parameter.VAR_KEYWORD or parameter.annotation is not (
                parameter.empty)
            assert f'{parameter.name}' in function.__doc__
    assert all(field.name in gslora_det.api.Erasure.__doc__
               for field in dataclasses.fields(gslora_det.api.Erasure))
