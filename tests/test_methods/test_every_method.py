"""What every registered method must do, whatever it is."""

import copy
import inspect

import pytest
import torch
from conftest import CLASSES, CONFIGS, SPLIT, samples
from mmengine.config import Config

from gslora_det.engine.checkpoint import read_weights
from gslora_det.lora import plain_state_dict
from gslora_det.registry import METHODS

NAMES = sorted(METHODS.module_dict)
TRAINED = [name for name in NAMES if METHODS.get(name).trains]
HEADS_FROZEN = ['DER', 'DERPlusPlus', 'EWC', 'FDR', 'L2', 'LIRF', 'LwF', 'MAS', 'SCRUB',
                'SCRUBS']


def images(branch, number):
    """A buffer of two images, as the sequence hands it to methods."""
    labels = dict(forget=[[4], [4, 4]], retain=[[0, 1], []])[branch]
    torch.manual_seed(3)
    return zip(torch.randn(2, 3, 64, 64), samples(labels))


def total(losses):
    return sum(value for key, value in losses.items() if 'loss' in key)


def optimizer_of(model):
    return torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-3)


def train(model, pair, optimizer, steps):
    for _ in range(steps):
        optimizer.zero_grad()
        total(model.loss(*copy.deepcopy(pair))).backward()
        optimizer.step()
        model.method.after_step(model.detector, 1e-3)


def started(build_unlearning, name, **options):
    torch.manual_seed(0)
    model = build_unlearning(type=name, **options).train()
    model.method.before_task(model.detector, images)
    return model


@pytest.mark.parametrize('name', TRAINED)
def test_trains_what_it_says_and_nothing_else(build_unlearning, tiny_weights, pair, name):
    model = started(build_unlearning, name)
    before = {n: p.detach().clone() for n, p in model.detector.named_parameters()}
    train(model, pair, optimizer_of(model), 2)
    changed = {n for n, p in model.detector.named_parameters()
               if not torch.equal(p, before[n])}
    assert changed
    if name.startswith('GSLoRA'):
        assert all(n.endswith(('lora_A', 'lora_B')) for n in changed)
    elif name in HEADS_FROZEN:
        assert not any(n.startswith('bbox_head') for n in changed)
    else:
        assert any(n.startswith('bbox_head') for n in changed)
        assert any(n.startswith('backbone') for n in changed)
    if name == 'LIRF':
        assert all(n.startswith(('backbone', 'neck')) for n in changed)


@pytest.mark.parametrize('name', TRAINED)
def test_resumed_training_is_the_uninterrupted_one(build_unlearning, pair, name):
    whole = started(build_unlearning, name)
    optimizer = optimizer_of(whole)
    train(whole, pair, optimizer, 2)
    saved = copy.deepcopy((whole.detector.state_dict(), optimizer.state_dict(),
                           whole.method.state_dict(), torch.get_rng_state()))
    train(whole, pair, optimizer, 2)

    resumed = build_unlearning(type=name).train()
    optimizer = optimizer_of(resumed)
    resumed.detector.load_state_dict(saved[0])
    optimizer.load_state_dict(saved[1])
    resumed.method.load_state_dict(saved[2])
    torch.set_rng_state(saved[3])
    train(resumed, pair, optimizer, 2)
    for key, value in whole.detector.state_dict().items():
        assert torch.equal(value, resumed.detector.state_dict()[key]), key


@pytest.mark.parametrize('name', NAMES)
def test_leaves_a_plain_detector(build_unlearning, tiny_weights, pair, name):
    model = started(build_unlearning, name)
    if model.method.trains:
        train(model, pair, optimizer_of(model), 1)
    else:
        assert model.num_trainable() == 0
    model.method.after_task(model.detector)
    state, original = plain_state_dict(model.detector), read_weights(tiny_weights)
    assert {k: v.shape for k, v in state.items()} == {k: v.shape for k, v in original.items()}
    assert all(value.isfinite().all() for value in state.values())
    assert any(not torch.equal(state[key], original[key]) for key in state)


@pytest.mark.parametrize('name', TRAINED)
def test_loss_is_finite_without_any_object(build_unlearning, pair, name):
    model = started(build_unlearning, name)
    inputs, _ = pair
    empty = dict(forget=samples([[], []]), retain=samples([[], [], []]))
    losses = model.loss(inputs, empty)
    assert all(value.isfinite() for value in losses.values())
    total(losses).backward()


@pytest.mark.parametrize('name', TRAINED)
def test_sees_only_the_branches_that_it_names(build_unlearning, pair, name):
    model = started(build_unlearning, name)
    sizes = dict(forget=2, retain=3)
    seen = []
    model.detector.backbone.register_forward_hook(lambda m, args, out: seen.append(len(args[0])))
    model.loss(*pair)
    assert seen[0] == sum(sizes[branch] for branch in model.method.branches)


@pytest.mark.parametrize('name', NAMES)
def test_says_what_it_is(name):
    text = METHODS.get(name).__doc__
    assert 'kwargs' in text and len(text.splitlines()) > 5


def test_each_has_a_config():
    configs = [Config.fromfile(path) for path in (CONFIGS / 'methods').glob('[!_]*.py')]
    for cfg in configs:
        METHODS.build(dict(cfg.method, classes=CLASSES, split=SPLIT))
    assert {cfg.method.type for cfg in configs} == set(NAMES) - {'GSLoRA'}


def numbers(method):
    """The options of a method, its bases' included, that are numbers by default."""
    return {p.name for cls in method.__mro__ if '__init__' in vars(cls) and cls is not object
            for p in inspect.signature(cls.__init__).parameters.values()
            if type(p.default) in (int, float) and p.name != 'task'}


@pytest.mark.parametrize('name', NAMES)
def test_numbers_that_are_none_are_refused_by_name(name):
    for option in numbers(METHODS.get(name)):
        with pytest.raises(ValueError, match=f'{option} is nan'):
            METHODS.build(dict({'type': name, option: float('nan')}, classes=CLASSES,
                               split=SPLIT))
