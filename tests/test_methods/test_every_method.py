"""What every registered method must do, whatever it is."""

import copy
import inspect
import itertools
import re
from types import UnionType
from typing import get_args, get_origin

import pytest
import torch
from mmengine.config import Config
from support import CLASSES, CONFIGS, SPLIT, samples

from gslora_det.lora import plain_state_dict
from gslora_det.methods import Method
from gslora_det.readers import reader_of
from gslora_det.registry import METHODS
from gslora_det.weights import read_weights, save_weights

NAMES = sorted(METHODS.module_dict)
TRAINED = [name for name in NAMES if METHODS.get(name).trains]


def defaults(method):
    """The options of a method, its bases' included, and their defaults."""
    return {p.name: p.default for cls in reversed(method.__mro__)
            if '__init__' in vars(cls) and cls is not object
            for p in inspect.signature(cls.__init__).parameters.values()}


MEASURE = [name for name in NAMES if 'num_images' in defaults(METHODS.get(name))]
REMEMBER = [name for name in TRAINED if 'cache_teachers' in defaults(METHODS.get(name))]
# Options by which what counts steps changes what it does within five of them.
SOON = dict(SCRUB=dict(ascent=0.6), SCRUBS=dict(ascent=0.6, interval=2))


def images(branch, number):
    """A buffer of two images, as the sequence hands it to methods."""
    labels = dict(forget=[[4], [4, 4]], retain=[[0, 1], []])[branch]
    torch.manual_seed(3)
    return zip(torch.randn(2, 3, 64, 64), samples(labels))


def total(losses):
    return sum(value for key, value in losses.items() if 'loss' in key)


def optimizer_of(model):
    return torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-3)


def train(model, pair, optimizer, first, last, steps=5):
    """Takes some of the steps of a training."""
    for step in range(first, last + 1):
        optimizer.zero_grad()
        total(model.loss(*copy.deepcopy(pair))).backward()
        optimizer.step()
        model.method.after_step(model.detector, 1e-3, step / steps)


def started(build_unlearning, name, **options):
    torch.manual_seed(0)
    model = build_unlearning(type=name, **options).train()
    model.method.before_task(model.detector, images)
    return model


@pytest.mark.parametrize('name', TRAINED)
def test_trains_what_it_says_and_nothing_else(build_unlearning, pair, name):
    """What it says is what ``prepare`` leaves to train, and the statistics of its norms."""
    model = build_unlearning(type=name)  # in no mode yet, as a task finds it
    detector = model.detector
    says = {n for n, p in detector.named_parameters() if p.requires_grad}
    modules = {n.rpartition('.')[0] for n in says}
    says |= {n for n, _ in detector.named_buffers() if n.rpartition('.')[0] in modules}
    before = copy.deepcopy(detector.state_dict())
    model.method.before_task(detector, images)
    model.train()
    train(model, pair, optimizer_of(model), 1, 2)
    changed = {n for n, v in detector.state_dict().items() if not torch.equal(v, before[n])}
    assert changed and changed <= says


@pytest.mark.parametrize('name', MEASURE)
def test_measures_on_as_many_images_as_it_is_told(build_unlearning, name):
    quick = dict(vae_steps=1) if 'vae_steps' in defaults(METHODS.get(name)) else {}
    model, asked = build_unlearning(type=name, num_images=1, **quick), []

    def noted(branch, number):
        asked.append((branch, number))
        return itertools.islice(images(branch, number), number)

    model.method.before_task(model.detector, noted)
    assert ('retain', 1) in asked and set(asked) <= {('forget', 1), ('retain', 1)}


@pytest.mark.parametrize('name, options', [
    *((name, {}) for name in TRAINED), *((name, dict(cache_teachers=True)) for name in REMEMBER)])
def test_resumed_training_is_the_uninterrupted_one(build_unlearning, pair, name, options):
    if options and name.startswith('GSLoRA'):
        options = dict(options, distill=1.0, hold=1.0)  # or it has no teacher to remember
    options = dict(SOON.get(name, {}), **options)
    inputs, data_samples = pair
    for number, sample in enumerate(data_samples['forget'] + data_samples['retain']):
        sample.set_metainfo(dict(img_id=number))
    whole = started(build_unlearning, name, **options)
    optimizer = optimizer_of(whole)
    train(whole, pair, optimizer, 1, 3)
    saved = copy.deepcopy((whole.detector.state_dict(), optimizer.state_dict(),
                           whole.method.state_dict(), torch.get_rng_state()))
    # The images look different now: what was remembered of them has to come along.
    pair = {k: v.flip(-1) for k, v in inputs.items()}, data_samples
    train(whole, pair, optimizer, 4, 5)

    resumed = build_unlearning(type=name, **options).train()
    optimizer = optimizer_of(resumed)
    resumed.detector.load_state_dict(saved[0])
    optimizer.load_state_dict(saved[1])
    resumed.method.load_state_dict(saved[2])
    torch.set_rng_state(saved[3])
    train(resumed, pair, optimizer, 4, 5)
    found = resumed.detector.state_dict()
    for key, value in whole.detector.state_dict().items():
        assert torch.equal(value, found[key]), key


@pytest.mark.parametrize('name', NAMES)
def test_leaves_a_plain_detector(build_unlearning, tiny_weights, pair, name):
    model = started(build_unlearning, name)
    if model.method.trains:
        train(model, pair, optimizer_of(model), 1, 1)
    else:
        assert model.num_trainable() == 0
    model.method.after_task(model.detector)
    state, original = plain_state_dict(model.detector), read_weights(tiny_weights)
    assert {k: v.shape for k, v in state.items()} == {k: v.shape for k, v in original.items()}
    assert all(value.isfinite().all() for value in state.values())
    changed = any(not torch.equal(state[key], original[key]) for key in state)
    assert changed == (name != 'GivenWeights')  # nothing is given here


@pytest.mark.parametrize('name', NAMES)
def test_says_whether_it_resets_the_rows_of_forgotten_classes(build_unlearning, name):
    model = started(build_unlearning, name)
    model.method.after_task(model.detector)
    rows = [layer.weight[model.method.forgotten] for layer in
            reader_of(model.detector).class_layers()]
    assert all(not row.any() for row in rows) == model.method.resets_rows
    assert any(not row.any() for row in rows) == model.method.resets_rows


# How much the detector's own loss on forget and on retain images without objects counts.
OWN_LOSS = dict(
    AllWeights=(-0.15, 1), DER=(1, 0), DERPlusPlus=(1, 0.1), EWC=(1, 1), FDR=(1, 0),
    GSLoRA=(-0.15, 1), GSLoRAPlusPlus=(-0.15, 1), GradientAscent=(-1, 0), L2=(1, 1),
    LAF=(0, 0), LIRF=(0.9, 5),
    LinearErasure=(0, 1), LwF=(1, 2),
    MAS=(1, 1), RehearsalFinetune=(0, 1), Retrain=(0, 1), SCRUB=(0, 0.99), SCRUBS=(0, 0.99))


@pytest.mark.parametrize('name', TRAINED)
def test_loss_without_any_object_is_mmdets(build_unlearning, tiny_weights, tmp_path, pair, name):
    """What a method adds to it starts at zero, or is of objects."""
    # A detector that sees objects in places, or there was no loss to speak of.
    weights = {key: value / 4 if 'cls_branches' in key and 'bias' in key else value
               for key, value in read_weights(tiny_weights).items()}
    save_weights(weights, tmp_path / 'weights.pth', {})
    lora = name.startswith('GSLoRA') or name == 'AllWeights'
    off = dict(alpha=0.0) if lora else {}
    if name == 'LinearErasure':
        off = dict(alpha=0.0, erase=0.0)
    model = started(build_unlearning, name, weights=str(tmp_path / 'weights.pth'), **off)
    inputs, _ = pair
    empty = dict(forget=samples([[], []]), retain=samples([[], [], []]))
    found = total(model.loss(inputs, copy.deepcopy(empty)))
    all_layers = name in ('GradientAscent', 'RehearsalFinetune')

    def own(branch):
        terms = model.detector.loss(inputs[branch], empty[branch])
        return sum(v.item() for k, v in terms.items() if all_layers or not k.startswith('d0'))

    if not METHODS.get(name).__module__.startswith('gslora_det.'):  # one of a user's own
        assert found.isfinite()
        return
    forget, retain = OWN_LOSS[name]
    wanted = forget * own('forget') + retain * own('retain')
    # GS-LoRA's bound on forgetting is 15, its weight 0.15.
    assert found.item() == pytest.approx(wanted + 0.15 * 15 * lora, rel=1e-4)
    found.backward()
    assert all(p.grad.isfinite().all() for p in model.parameters() if p.grad is not None)


@pytest.mark.parametrize('name', TRAINED)
def test_sees_only_the_branches_that_it_names(build_unlearning, pair, name):
    model = started(build_unlearning, name)
    sizes = dict(forget=2, retain=3)
    seen = []
    model.detector.backbone.register_forward_hook(lambda m, args, out: seen.append(len(args[0])))
    model.loss(*pair)
    assert seen[0] == sum(sizes[branch] for branch in model.method.branches)


def described(annotation):
    """A type as docstrings have it: ``Sequence[str] | None`` is list[str], optional."""
    origin = get_origin(annotation) or annotation
    inner = [described(each) for each in get_args(annotation)]
    if origin is UnionType:
        return ' | '.join(inner).replace(' | nonetype', ', optional')
    name = origin.__name__.lower().replace('sequence', 'list')
    return f'{name}[{", ".join(inner)}]' if inner else name


@pytest.mark.parametrize('cls', sorted(
    {cls for name in NAMES for cls in METHODS.get(name).__mro__ if issubclass(cls, Method)},
    key=lambda cls: cls.__name__), ids=lambda cls: cls.__name__)
def test_documents_the_options_that_it_adds(cls):
    """Each with its type, and no other; ``kwargs`` where a base takes more."""
    text = inspect.cleandoc(cls.__doc__ or '').partition('\nArgs:\n')[2]
    entries = re.findall(r'^    (\S+?)(?: \((.+?)\))?: \S', re.split(r'\n(?=\S)', text)[0], re.M)
    init = vars(cls).get('__init__', lambda **kwargs: None)
    types = {p.name: described(p.annotation) for p in inspect.signature(init).parameters.values()
             if p.name not in ('self', 'kwargs')}
    kwargs = {} if cls is Method else {'**kwargs': ''}
    assert dict(entries) == {**types, **kwargs}


def test_each_has_a_config():
    configs = [Config.fromfile(path) for path in (CONFIGS / 'methods').glob('[!_]*.py')]
    for cfg in configs:
        METHODS.build(dict(cfg.method, classes=CLASSES, split=SPLIT))
    assert {cfg.method.type for cfg in configs} == set(NAMES) - {'GSLoRA'}


@pytest.mark.parametrize('name, option', [
    (name, option) for name in NAMES for option, default in defaults(METHODS.get(name)).items()
    if type(default) in (int, float) and option != 'task'])
def test_not_a_number_is_refused_by_name(name, option):
    with pytest.raises(ValueError, match=f'{option} is nan'):
        METHODS.build(dict({'type': name, option: float('nan')}, classes=CLASSES,
                           split=SPLIT))
