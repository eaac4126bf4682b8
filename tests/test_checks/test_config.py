import math

import pytest
from mmengine.config import Config
from support import CHECKPOINT, CONFIGS

from gslora_det.checks.config import check_config, check_devices
from gslora_det.engine.plan import make_plan
from gslora_det.methods import Method
from gslora_det.options import SHARE, require
from gslora_det.registry import METHODS

NAN = math.nan


@pytest.fixture
def cfg():
    return Config.fromfile(CONFIGS / 'glyph80/ddetr_forget_80-10x7.py')


def message_of(cfg, options):
    cfg.merge_from_dict(options)
    with pytest.raises(ValueError) as error:
        check_config(cfg)
    assert '\n' not in str(error.value)
    return str(error.value)


def test_shipped_configs_pass():
    for path in CONFIGS.rglob('ddetr_forget_*.py'):
        check_config(Config.fromfile(path))


@pytest.mark.parametrize('evaluator', [
    dict(type='LVISMetric', ann_file='val.json'), [dict(type='CocoMetric', ann_file='val.json')]])
@pytest.mark.parametrize('key', ['val_evaluator', 'test_evaluator'])
def test_only_one_coco_metric_can_be_split(cfg, key, evaluator):
    cfg[key] = evaluator
    with pytest.raises(ValueError, match=f"{key} must be one dict.type='CocoMetric'"):
        check_config(cfg)


@pytest.mark.parametrize('options, said', [
    ({'optim_wrapper.type': 'AmpOptimWrapper'}, 'AmpOptimWrapper needs a GPU'),
    ({'val_evaluator.collect_device': 'gpu'}, 'collect_device is gpu, and there is none')])
def test_a_gpu_is_asked_of_who_runs_not_of_who_looks(cfg, monkeypatch, options, said):
    monkeypatch.setattr('torch.cuda.is_available', lambda: False)
    cfg.merge_from_dict(options)
    check_config(cfg)
    with pytest.raises(ValueError, match=said):
        check_devices(cfg)


@pytest.mark.parametrize('typo, meant', [
    ('sequence.ordr', 'order'), ('sequence.num_task', 'num_tasks'),
    ('sequence.class_per_task', 'classes_per_task'), ('sequence.task', 'tasks'),
    ('sequence.mising', 'missing'), ('sequence.forgets', 'forget'),
    ('sequence.retained', 'retain'), ('sequence.mix_images', 'mixed_images'),
    ('sequence.bufferseed', 'buffer_seed'), ('sequence.iter', 'iters'),
    ('sequence.epoch', 'epochs'), ('sequence.picture', 'pictures'),
    ('sequence.checkpoint_intervall', 'checkpoint_interval'),
    ('sequence.forget.batchsize', 'batch_size'), ('sequence.forget.fractions', 'fraction'),
    ('sequence.retain.shot', 'shots'), ('sequence.retain.pre', 'per'),
    ('method.ranks', 'rank'), ('method.lora_alfa', 'lora_alpha'),
    ('method.target', 'targets'), ('method.alfa', 'alpha'), ('method.betas', 'beta'),
    ('method.forget_terms', 'forget_term'), ('method.bounds', 'bound'),
    ('method.margn', 'margin'), ('method.norms', 'norm'), ('method.updates', 'update'),
    ('method.distil', 'distill'), ('method.holds', 'hold'),
    ('method.aux_loss', 'aux_losses'), ('method.cache_teacher', 'cache_teachers'),
])
def test_a_typo_names_what_was_meant(cfg, typo, meant):
    message = message_of(cfg, {typo: 1})
    assert f"'{typo.rsplit('.', 1)[1]}': did you mean '{meant}'?" in message


@pytest.mark.parametrize('name, typo, meant', [
    ('optim_wrapper', 'AmpOptimWraper', 'AmpOptimWrapper'),
    ('optim_wrapper.optimizer', 'AdmaW', 'AdamW'),
    ('param_scheduler.0', 'CosineAnealingLR', 'CosineAnnealingLR'),
    ('custom_hooks.0', 'NumClassChekHook', 'NumClassCheckHook')])
def test_types_that_nothing_is_registered_for_are_named(cfg, name, typo, meant):
    cfg.custom_hooks = [dict(type='NumClassCheckHook')]
    message = message_of(cfg, {f'{name}.type': typo})
    assert f"{name}.type: there is no '{typo}': did you mean '{meant}'?" in message


def test_what_would_be_lost_in_a_task_is_refused(cfg):
    cfg.param_scheduler = dict(type='MultiStepLR', milestones=[40])  # MMEngine's by_epoch
    assert 'param_scheduler.0 counts epochs' in message_of(cfg, {})
    cfg.param_scheduler = [dict(type='ConstantLR', by_epoch=False),
                           dict(type='MultiStepLR', by_epoch=True, milestones=[40])]
    assert 'param_scheduler.1 counts epochs' in message_of(cfg, {})
    cfg.custom_hooks = [dict(type='EMAHook')]
    assert "custom_hooks.0: a task keeps its last weights, not an EMAHook's" in message_of(cfg, {})


@pytest.mark.parametrize('options, message', [
    ({'type': 'CocoDataste'}, "data set CocoDataste: CocoDataste is not in the"),
    ({'pipeline.0.type': 'LoadImage'}, 'LoadImage is not in the'),
    ({'type': 'MultiImageMixDataset'}, 'train_dataloader.dataset is a MultiImageMixDataset: ')])
def test_data_sets_that_cannot_be_used_are_named(cfg, glyph80, options, message):
    dataset = cfg.train_dataloader.dataset
    dataset.data_root = str(glyph80)
    cfg.load_from = str(CHECKPOINT)
    if options.get('type') == 'MultiImageMixDataset':
        options['dataset'] = dataset.copy()
    cfg.merge_from_dict({f'train_dataloader.dataset.{k}': v for k, v in options.items()})
    with pytest.raises(ValueError) as error:
        make_plan(cfg)
    assert message in str(error.value)


@pytest.mark.parametrize('name, value', [
    ('sequence.num_tasks', 0), ('sequence.num_tasks', -1), ('sequence.num_tasks', 1.5),
    ('sequence.classes_per_task', True), ('sequence.iters', -3), ('sequence.iters', NAN),
    ('sequence.iters', 10**12), ('sequence.iters', '150'), ('sequence.pictures', -1),
    ('sequence.checkpoint_interval', 0), ('sequence.buffer_seed', -1),
    ('sequence.buffer_seed', 2**40), ('sequence.mixed_images', 'ignored'),
    ('sequence.forget.batch_size', 0), ('sequence.retain.batch_size', 10**9),
    ('sequence.forget.fraction', 0), ('sequence.forget.fraction', -0.1),
    ('sequence.forget.fraction', 1.5), ('sequence.retain.fraction', NAN),
    ('sequence.retain.shots', 0), ('sequence.retain.shots', 2.5),
    ('sequence.retain.per', 'image'),
    ('method.rank', 0), ('method.rank', -8), ('method.rank', 8.0), ('method.rank', 10**9),
    ('method.lora_alpha', 0), ('method.lora_alpha', NAN), ('method.alpha', -3e-4),
    ('method.beta', -0.1), ('method.beta', math.inf), ('method.beta', [0.1] * 6 + [NAN]),
    ('method.beta', []), ('method.beta', 'high'), ('method.bound', NAN),
    ('method.margin', -1.0), ('method.margin', None), ('method.distill', -1.0),
    ('method.hold', math.inf), ('method.forget_term', 'marginal'),
    ('method.norm', 'l2'), ('method.update', 'adam'), ('method.cache_teachers', 'no'),
    ('method.aux_losses', 2),
    ('optim_wrapper.optimizer.lr', 0.0), ('optim_wrapper.optimizer.lr', NAN),
    ('optim_wrapper.optimizer.lr', -1e-3), ('optim_wrapper.optimizer.weight_decay', -1),
    ('optim_wrapper.clip_grad.max_norm', 0), ('randomness.seed', -1),
])
def test_a_value_out_of_range_is_named(cfg, name, value):
    message = message_of(cfg, {name: value})
    shown = name.split('.', 1)[1] if name.startswith('method') else name
    assert f'{shown} is {value!r}: set ' in message


@pytest.mark.parametrize('options, message', [
    ({'sequence.forget': None}, 'sequence.forget is missing'),
    ({'sequence.iters': None}, 'either iters'),
    ({'sequence.epochs': 3}, 'either iters'),
    ({'method': None}, 'method is missing'),
    ({'method.type': 'GS-LoRA'}, "no method 'GS-LoRA': did you mean 'GSLoRA'?"),
    ({'method.type': None}, "no method 'None'"),
    ({'method.classes': ['a']}, "no option 'classes'"),
    ({'method.beta': [0.1, 0.2]}, 'beta has 2 values for 7 tasks'),
    ({'optim_wrapper': None}, 'optim_wrapper is missing'),
    ({'load_from': None}, 'load_from is missing'),
])
def test_what_is_missing_or_contradicts_is_named(cfg, options, message):
    assert message in message_of(cfg, options)


def test_all_errors_are_in_one_line(cfg):
    message = message_of(cfg, {
        'load_from': None, 'sequence.iter': 3, 'sequence.pictures': -1, 'method.rnk': 2,
        'method.rank': 0, 'method.alpha': NAN, 'optim_wrapper.optimizer.lr': -1})
    for part in ('load_from is missing', "'iter'", 'pictures is -1', "'rnk'", 'rank is 0',
                 'alpha is nan', 'lr is -1'):
        assert part in message


def test_all_wrong_options_are_named_whichever_class_of_the_method_has_them(cfg):
    cfg.method = dict(type='DERPlusPlus', relabel='x', freeze='*', cache_teachers=1, weight=-1,
                      retain_weight=NAN, wieght=1)
    message = message_of(cfg, {})
    for part in ("relabel is 'x'", "freeze is '*'", 'cache_teachers is 1', 'weight is -1',
                 'retain_weight is nan', "'wieght'"):
        assert message.count(part) == 1


class Needs(Method):
    """An option without a default, a rule of its own, and one that no option breaks."""

    def __init__(self, rate, factor=1, **kwargs):
        super().__init__(**kwargs)
        require('Needs', rate=(rate, SHARE))
        if factor < 0:
            raise ValueError('Needs: factor is negative')
        require('Needs', product=(rate * factor, SHARE))


@pytest.mark.parametrize('options, found', [
    (dict(rate=0.5), []), (dict(rate=2), ['rate is 2']), (dict(factor=2), ["'rate'"]),
    (dict(rate=0.5, factor=-1), ['factor is negative']),
    (dict(rate=0.5, factor=4), ['product is 2'])])
def test_a_method_that_refuses_in_its_own_way_is_understood(cfg, options, found, monkeypatch):
    monkeypatch.setitem(METHODS.module_dict, 'Needs', Needs)
    cfg.method = dict(type='Needs', **options)
    if not found:
        check_config(cfg)
        return
    message = message_of(cfg, {})
    assert message.count('method: ') == 1 and all(part in message for part in found)


ODD = [None, True, 0, -1, 2.5, NAN, math.inf, 10**30, '', 'x', b'x', [], ['x'], [[]], {},
       dict(x=1), print]


@pytest.mark.parametrize('key', [
    'sequence', 'method', 'optim_wrapper', 'randomness', 'load_from', 'sequence.order',
    'sequence.num_tasks', 'sequence.classes_per_task', 'sequence.tasks', 'sequence.missing',
    'sequence.forget', 'sequence.retain', 'sequence.iters', 'sequence.epochs',
    'sequence.forget.batch_size', 'sequence.forget.fraction', 'sequence.retain.shots',
    'sequence.retain.per', 'method.type', 'method.rank', 'method.beta', 'method.targets',
    'method.norm', 'optim_wrapper.optimizer', 'optim_wrapper.clip_grad', 'randomness.seed'])
def test_no_value_raises_anything_but_one_line(cfg, key):
    """Values of any type at the places that the checks look at."""
    *path, last = key.split('.')
    place = cfg
    for name in path:
        place = place[name]
    for value in ODD:
        place[last] = value
        try:
            check_config(cfg)
        except ValueError as error:
            assert '\n' not in str(error)
