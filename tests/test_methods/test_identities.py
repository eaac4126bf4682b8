"""What each method promises in a closed form, on tiny problems."""

import copy
import itertools
import json
import math

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.model import BaseModule
from support import CLASSES, CONFIGS, SPLIT, samples
from torch import nn

from gslora_det.lora import lora_state, low_rank_regression
from gslora_det.losses import ErasureMap, logit_distillation_loss, prototype_divergence
from gslora_det.methods.importance import importance
from gslora_det.methods.linear_erasure import _together
from gslora_det.methods.lirf import attention_distance
from gslora_det.methods.ssd import dampen_
from gslora_det.registry import METHODS
from gslora_det.weights import save_weights
from gslora_det.weights.export import _reset

RETAINED, FORGOTTEN = [0, 1, 2], [4]


@pytest.fixture
def original(tiny_config, tiny_weights):
    """The detector that tasks start from, by MMDet and PyTorch alone."""
    detector = MODELS.build(copy.deepcopy(tiny_config))
    detector.load_state_dict(torch.load(tiny_weights, weights_only=True)['state_dict'])
    return detector.eval()


def build(build_unlearning, name, **options):
    torch.manual_seed(0)
    return build_unlearning(type=name, **options).train()


def losses(model, pair):
    return {key: value.item() for key, value in model.loss(*copy.deepcopy(pair)).items()}


def images(branch, number):
    labels = dict(forget=[[4], [4, 4]], retain=[[0, 1], [2]])[branch]
    torch.manual_seed(3)
    return zip(torch.randn(2, 3, 64, 64), samples(labels))


def move(model, amount=0.05):
    """Changes every weight that trains, as training would."""
    torch.manual_seed(7)
    with torch.no_grad():
        for parameter in model.detector.parameters():
            if parameter.requires_grad:
                parameter += amount * torch.randn_like(parameter)


def mmdet_loss(model, images, data_samples):
    """MMDet's own losses of the last layer, by the detector itself."""
    found = model.detector.loss(images, data_samples)
    return {k: v.item() for k, v in found.items() if not k.startswith('d0')}


def empty(data_samples):
    return [s for s in samples([[] for _ in data_samples])]


@torch.no_grad()
def said(detector, images, data_samples):
    """Embeddings, logits and boxes of the last layer, by MMDet's own forward."""
    detector = copy.deepcopy(detector).eval()
    decoded = detector.forward_transformer(detector.extract_feat(images), data_samples)
    logits, boxes = detector.bbox_head(**decoded)
    return decoded['hidden_states'][-1], logits[-1], boxes[-1]


def compared(model, original, pair, branch, classes):
    """Logits of some classes: the student's and the original's."""
    inputs, data_samples = copy.deepcopy(pair)
    return [said(detector, inputs[branch], data_samples[branch])[1][..., classes]
            for detector in (model.detector, original)]


def squared_distance(model, original, weights=None):
    """``sum w (theta - theta*)^2`` over all parameters of model and original."""
    start = original.state_dict()
    return sum(((p - start[n])**2 * (weights[n] if weights else 1)).sum().item()
               for n, p in model.detector.named_parameters())


def test_l2_is_the_squared_distance(build_unlearning, original, pair):
    model = build(build_unlearning, 'L2', weight=3.0)
    assert losses(model, pair)['anchor_loss'] == 0
    move(model)
    distance = squared_distance(model, original)
    assert losses(model, pair)['anchor_loss'] == pytest.approx(3 * distance, rel=1e-4)


@pytest.mark.parametrize('name', ['EWC', 'MAS'])
def test_zero_importance_is_fine_tuning(build_unlearning, pair, name):
    """That is, MMDet's own loss on retain data and forget images without objects."""
    model = build(build_unlearning, name, weight=100.0)
    model.method.anchor.importance = {n: torch.zeros_like(p)
                               for n, p in model.detector.named_parameters()}
    move(model)
    inputs, data_samples = copy.deepcopy(pair)
    found = losses(model, pair)
    assert found.pop('anchor_loss') == 0
    expected = mmdet_loss(model, torch.cat([inputs['forget'], inputs['retain']]),
                          empty(data_samples['forget']) + data_samples['retain'])
    assert found == pytest.approx(expected, rel=1e-4)


def test_ewc_pull_is_weighted_by_importance(build_unlearning, original, pair):
    model = build(build_unlearning, 'EWC', weight=2.0)
    importances = {n: torch.rand_like(p) for n, p in original.named_parameters()}
    model.method.anchor.importance = importances
    move(model)
    distance = squared_distance(model, original, importances)
    assert losses(model, pair)['anchor_loss'] == pytest.approx(2 * distance, rel=1e-4)


class TwoParameters(nn.Module):
    """``loss = (a x - y)^2 + b x``, with x and y read from the image."""

    def __init__(self):
        super().__init__()
        self.a = nn.Parameter(torch.tensor(2.0))
        self.b = nn.Parameter(torch.tensor(1.0))

    def extract_feat(self, image):
        return (image, )

    def loss(self, batch):
        x, y = batch.features[0][0]
        return (self.a * x - y)**2 + self.b * x


def test_fisher_is_the_mean_of_squared_gradients_of_single_images():
    model, data = TwoParameters(), [(1.0, 0.0), (2.0, 5.0), (-1.0, 1.0)]
    found = importance(model, [(torch.tensor(d), None) for d in data], model.loss)
    a = sum((2 * (2 * x - y) * x)**2 for x, y in data) / 3
    b = sum(x**2 for x, _ in data) / 3
    assert found['a'].item() == pytest.approx(a) and found['b'].item() == pytest.approx(b)
    mean_first = (sum(2 * (2 * x - y) * x for x, y in data) / 3)**2
    assert a != pytest.approx(mean_first)  # not the square of the mean gradient
    absolute = importance(model, [(torch.tensor(d), None) for d in data], model.loss, power=1)
    assert absolute['a'].item() == pytest.approx(
        sum(abs(2 * (2 * x - y) * x) for x, y in data) / 3)


def gradients(detector, scalar):
    """Of every parameter: zero where the scalar does not depend on it."""
    names, parameters = zip(*detector.named_parameters())
    return dict(zip(names, torch.autograd.grad(scalar, parameters, allow_unused=True,
                                               materialize_grads=True)))


def fisher(detector, branch):
    """Squared gradients of MMDet's own loss of the last layer, image by image."""
    detector.training = True  # its parts evaluate
    found = []
    for image, sample in images(branch, 2):
        terms = detector.loss(image[None], [sample])
        found.append(gradients(
            detector, sum(v for k, v in terms.items() if not k.startswith('d0'))))
    return {name: sum(each[name]**2 for each in found) / len(found) for name in found[0]}


def assert_importance(model, expected):
    """Of exactly the parameters that train."""
    found = model.method.anchor.importance
    assert set(found) == {n for n, p in model.detector.named_parameters() if p.requires_grad}
    for name, value in found.items():
        tolerance = 1e-5 * expected[name].max().item()
        assert torch.allclose(value, expected[name], rtol=1e-3, atol=tolerance), name


def test_ewc_measures_the_fisher_information_of_retain_data(build_unlearning, original):
    model = build(build_unlearning, 'EWC')
    model.method.before_task(model.detector, images)
    assert_importance(model, fisher(original, 'retain'))


def test_mas_measures_the_logits_of_retain_data(build_unlearning, original):
    """The mean absolute gradient of the mean squared logit, image by image."""
    model, asked = build(build_unlearning, 'MAS', num_images=2), []
    model.method.before_task(model.detector, lambda *request: (
        asked.append(request) or images(*request)))
    assert asked == [('retain', 2)]
    found = [gradients(original, original._forward(image[None], [sample])[0][-1].square().mean())
             for image, sample in images('retain', 2)]
    assert_importance(model, {
        name: sum(each[name].abs() for each in found) / 2 for name in found[0]})


def test_ssd_dampens_what_matters_more_to_forget_data(build_unlearning, original):
    model = build(build_unlearning, 'SSD', alpha=1.5, lambda_=1.0)
    name = 'decoder.layers.0.ffn.layers.1.weight'
    start = original.state_dict()[name]
    forget, retain = (fisher(original, branch)[name] for branch in ('forget', 'retain'))
    expected = torch.where(forget > 1.5 * retain, start * retain / forget, start)
    assert 0.1 < (expected != start).float().mean() < 0.9
    model.method.before_task(model.detector, images)
    assert torch.allclose(model.detector.get_parameter(name), expected, rtol=1e-3, atol=1e-6)


def test_importance_leaves_the_weights_and_modes_alone(build_unlearning, original):
    model = build(build_unlearning, 'EWC')
    model.method.before_task(model.detector, images)
    assert model.detector.encoder.training
    start = original.state_dict()
    assert all(torch.equal(v, start[k]) for k, v in model.detector.state_dict().items())


def test_der_without_weight_is_its_data_term(build_unlearning, pair):
    model = build(build_unlearning, 'DER', weight=0.0)
    move(model)
    found = losses(model, pair)
    assert found.pop('replay_loss') == 0
    inputs, data_samples = copy.deepcopy(pair)
    expected = mmdet_loss(model, inputs['forget'], empty(data_samples['forget']))
    assert found == pytest.approx({f'forget_{k}': v for k, v in expected.items()}, rel=1e-4)


def test_replay_and_distance_are_their_formulas(build_unlearning, original, pair):
    for name, weight in (('DER', 0.1), ('DERPlusPlus', 0.1), ('FDR', 2.0)):
        model = build(build_unlearning, name, weight=weight)
        assert losses(model, pair)[
            'distance_loss' if name == 'FDR' else 'replay_loss'] == pytest.approx(0, abs=1e-4)
        move(model)
        student, teacher = compared(model, original, pair, 'retain', RETAINED)
        gap = (student - teacher).double()
        if name == 'FDR':
            wanted = weight * gap.square().sum(-1).sqrt().mean().item()
            assert losses(model, pair)['distance_loss'] == pytest.approx(wanted, rel=1e-4)
        else:
            wanted = weight * gap.square().sum().item() / 3
            assert losses(model, pair)['replay_loss'] == pytest.approx(wanted, rel=1e-4)


def test_der_plus_plus_adds_the_retain_loss(build_unlearning, pair):
    model = build(build_unlearning, 'DERPlusPlus', retain_weight=0.25)
    inputs, data_samples = copy.deepcopy(pair)
    expected = mmdet_loss(model, inputs['retain'], data_samples['retain'])
    found = losses(model, pair)
    for key, value in expected.items():
        assert found[f'retain_{key}'] == pytest.approx(0.25 * value, rel=1e-4)


def distillation(student, teacher, temperature):
    """T^2 KL of the sigmoids, summed over queries and classes, mean over images."""
    t, s = (torch.sigmoid(z.double() / temperature) for z in (teacher, student))
    kl = t * (t / s).log() + (1 - t) * ((1 - t) / (1 - s)).log()
    return temperature**2 * kl.sum().item() / len(student)


def prefixed(prefix, weight, terms):
    return {f'{prefix}_{key}': weight * value for key, value in terms.items()}


def test_lwf_is_its_formula(build_unlearning, original, pair):
    model = build(build_unlearning, 'LwF', weight=0.3, retain_weight=0.7, temperature=3.0)
    move(model)
    inputs, data_samples = copy.deepcopy(pair)
    forget = mmdet_loss(model, inputs['forget'], empty(data_samples['forget']))
    retain = mmdet_loss(model, inputs['retain'], data_samples['retain'])
    kd = distillation(*compared(model, original, pair, 'retain', RETAINED), 3.0)
    assert kd > 1e-3
    assert losses(model, pair) == pytest.approx(dict(
        prefixed('forget', 1, forget), retain_kd_loss=0.3 * kd,
        **prefixed('retain', 0.7, retain)), rel=1e-3)


def test_lirf_is_its_formula(build_unlearning, original, pair):
    model = build(build_unlearning, 'LIRF', weight=0.3, forget_weight=0.4, distill=0.6,
                  retain_weight=0.7, temperature=3.0)
    move(model)
    inputs, data_samples = copy.deepcopy(pair)
    forget = mmdet_loss(model, inputs['forget'], empty(data_samples['forget']))
    retain = mmdet_loss(model, inputs['retain'], data_samples['retain'])
    kd = distillation(*compared(model, original, pair, 'retain', RETAINED), 3.0)
    distances = []
    for levels in zip(*(d.extract_feat(inputs['forget']) for d in (model.detector, original))):
        mine, other = ((level**2).sum(1).flatten(1) for level in levels)
        cosine = (mine * other).sum(1) / (mine.norm(dim=1) * other.norm(dim=1))
        distances.append((2 - 2 * cosine).mean().item())  # of two vectors of length 1
    attention = sum(distances) / len(distances)
    assert kd > 1e-3 and attention > 1e-3
    assert losses(model, pair) == pytest.approx(dict(
        prefixed('forget', 0.4, forget), attention_loss=-0.3 * attention,
        retain_kd_loss=0.6 * kd, **prefixed('retain', 0.7, retain)), rel=1e-3)


@pytest.mark.parametrize('name, kept', [
    *((name, {'bbox_head'}) for name in ('L2', 'EWC', 'MAS', 'LwF', 'DER', 'DERPlusPlus',
                                         'FDR', 'LAF', 'SCRUB', 'SCRUBS')),
    *((name, set()) for name in ('GradientAscent', 'RehearsalFinetune', 'Retrain')),
    ('LIRF', {'encoder', 'decoder', 'bbox_head', 'reference_points_fc', 'query_embedding',
              'level_embed'})])
def test_what_the_published_methods_keep_as_it_is(build_unlearning, name, kept):
    """Beside the batch norms, which only train where they start anew."""
    detector = build(build_unlearning, name).detector
    norms = {f'{n}.{p}' for n, m in detector.named_modules() if isinstance(m, nn.BatchNorm2d)
             for p in ('weight', 'bias')}
    for parameter, value in detector.named_parameters():
        assert value.requires_grad == (
            parameter.split('.')[0] not in kept and (parameter not in norms
                                                     or name == 'Retrain')), parameter


@pytest.mark.parametrize('freeze, kept', [
    (['encoder.*', 'neck.*'], {'encoder', 'neck'}), ([], set()), (None, {'bbox_head'})])
def test_patterns_freeze_what_they_fit(build_unlearning, freeze, kept):
    detector = build(build_unlearning, 'LwF', freeze=freeze, freeze_norms=False).detector
    assert {n.split('.')[0] for n, p in detector.named_parameters()
            if not p.requires_grad} == kept


def test_the_encoder_joins_the_lower_half_of_lirf(build_unlearning):
    detector = build(build_unlearning, 'LIRF', freeze_norms=False, up_to='encoder').detector
    assert {n.split('.')[0] for n, p in detector.named_parameters()
            if p.requires_grad} == {'backbone', 'neck', 'encoder'}


def test_a_pattern_that_fits_nothing_is_refused(build_unlearning):
    with pytest.raises(ValueError, match=r"^LIRF: freeze has 'neck2\.\*', which fits") as error:
        build(build_unlearning, 'LIRF', freeze=['encoder.*', 'neck2.*'])
    assert '\n' not in str(error.value)


def test_a_teacher_is_the_original_and_never_changes(build_unlearning, original, pair,
                                                     tiny_weights, tmp_path):
    """Where the task starts from other weights than the original's."""
    start = original.state_dict()
    save_weights({k: 2 * v if k.startswith('neck') else v for k, v in start.items()},
                 tmp_path / 'before.pth', {})
    model = build(build_unlearning, 'LwF', weights=str(tmp_path / 'before.pth'),
                  original=tiny_weights)
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    for _ in range(2):
        sum(v for k, v in model.loss(*copy.deepcopy(pair)).items() if 'loss' in k).backward()
        optimizer.step()
    teacher = model.method.original.teacher.detector
    assert all(torch.equal(v, start[k]) for k, v in teacher.state_dict().items())
    assert not any(p.requires_grad for p in teacher.parameters()) and not teacher.training
    assert not torch.equal(model.detector.neck.convs[0].conv.weight,
                           2 * start['neck.convs.0.conv.weight'])


def test_distillation_at_a_temperature():
    student, teacher = torch.tensor([[[1.0, -2.0]]]), torch.tensor([[[0.5, 3.0]]])

    def kl(p, q):
        return p * math.log(p / q) + (1 - p) * math.log((1 - p) / (1 - q))

    def sigmoid(z):
        return 1 / (1 + math.exp(-z))

    wanted = 4 * sum(kl(sigmoid(t / 2), sigmoid(s / 2)) for s, t in ((1, .5), (-2, 3)))
    assert logit_distillation_loss(student, teacher, 2.0).item() == pytest.approx(wanted)


def test_scrub_disobeys_on_forget_data_until_its_ascent_ends(build_unlearning, original, pair):
    model = build(build_unlearning, 'SCRUB', ascent=0.5, weight=0.5, temperature=2.0,
                  gamma=0.7, alpha=0.3)
    move(model)
    forget = distillation(*compared(model, original, pair, 'forget', FORGOTTEN), 2.0)
    retain = distillation(*compared(model, original, pair, 'retain', RETAINED), 2.0)
    assert forget > 1e-3 and retain > 1e-3
    inputs, data_samples = copy.deepcopy(pair)
    expected = mmdet_loss(model, inputs['retain'], data_samples['retain'])
    assert losses(model, pair) == pytest.approx(dict(
        prefixed('retain', 0.7, expected), retain_kd_loss=0.3 * retain,
        forget_kd_loss=-0.5 * forget), rel=1e-3)
    model.method.after_step(model.detector, 0.1, progress=0.4)
    assert 'forget_kd_loss' in losses(model, pair)
    model.method.after_step(model.detector, 0.1, progress=0.5)
    assert 'forget_kd_loss' not in losses(model, pair)


def test_scrub_disobeys_where_the_original_sees_objects(build_unlearning, original, pair):
    model = build(build_unlearning, 'SCRUB', weight=0.5, temperature=2.0, places='objects')
    move(model)
    inputs, data_samples = copy.deepcopy(pair)
    inputs, data_samples = inputs['forget'], data_samples['forget']
    found, spoken = (said(each, inputs, data_samples) for each in (model.detector, original))
    at = matched(original, spoken, data_samples) == 4
    assert at.sum() == sum(len(sample.gt_instances) for sample in data_samples)
    student, teacher = (logits[at][:, FORGOTTEN] for _, logits, _ in (found, spoken))
    expected = distillation(student, teacher, 2.0) * len(student) / len(inputs)
    assert losses(model, pair)['forget_kd_loss'] == pytest.approx(-0.5 * expected, rel=1e-3)


def test_scrubs_smooths_towards_a_running_mean(build_unlearning, original, pair):
    model = build(build_unlearning, 'SCRUBS', smoothing=2.0, decay=0.75, interval=2)
    move(model)
    start = original.state_dict()
    distance = sum((p - start[n]).norm().item() for n, p in model.detector.named_parameters())
    found = []
    for _ in range(5):
        found.append(losses(model, pair)['smoothing_loss'])
        model.method.after_step(model.detector, 0.1, progress=0.5)
    # The weights stay where they are, and every second step the mean comes nearer.
    assert found == pytest.approx([2 * distance * share for share in (
        1, 1, 0.75, 0.75, 0.75**2)], rel=1e-4)


def test_lirf_attention_distance_is_zero_for_equal_and_two_for_disjoint_maps():
    left = torch.zeros(1, 3, 2, 2)
    right = left.clone()
    left[:, :, 0, 0], right[:, :, 1, 1] = 5.0, 1.0
    assert attention_distance([left, left], [left, left]).item() == 0
    assert attention_distance([left], [right]).item() == pytest.approx(2)
    assert attention_distance([left, left], [right, left]).item() == pytest.approx(1)


def test_ssd_dampens_by_the_ratio_of_importances():
    weight = torch.tensor([1.0, 2.0, 3.0, 4.0])
    dampen_(weight, torch.tensor([4.0, 1.0, 30.0, 0.0]), torch.tensor([1.0, 1.0, 1.0, 0.0]),
            alpha=2.0, lambda_=8.0)
    # 4 > 2: factor min(8/4, 1) = 1; 1 < 2: kept; 30 > 2: factor 8/30; 0 > 0 is false.
    assert weight.tolist() == pytest.approx([1.0, 2.0, 3.0 * 8 / 30, 4.0])


@pytest.mark.parametrize('alpha, same', [(math.inf, True), (0.5, False)])
def test_ssd_at_infinite_alpha_leaves_the_model_bit_identical(build_unlearning, original,
                                                              alpha, same):
    model = build(build_unlearning, 'SSD', alpha=alpha)
    model.method.before_task(model.detector, images)
    state = model.detector.state_dict()
    assert all(torch.equal(state[k], v) for k, v in original.state_dict().items()) is same


def test_head_mask_silences_the_forgotten_class_and_nothing_else(build_unlearning, original,
                                                                 pair):
    model = build(build_unlearning, 'HeadMask')
    model.method.before_task(model.detector, images)
    inputs, data_samples = pair
    before, after = (detector.eval()._forward(inputs['forget'], data_samples['forget'])
                     for detector in (original, model.detector))
    for (logits, boxes), (masked, places) in zip(zip(*before), zip(*after)):  # by layer
        assert torch.equal(logits[..., :4], masked[..., :4]) and torch.equal(boxes, places)
        assert masked[..., 4].sigmoid().sub(0.01).abs().max() < 1e-6


def test_random_drop_zeroes_up_to_its_rate(build_unlearning, original):
    model = build(build_unlearning, 'RandomDrop', rate=0.4)
    model.method.before_task(model.detector, images)
    start, shares = original.state_dict(), []
    for key, value in model.detector.named_parameters():
        changed = value != start[key]
        assert (value[changed] == 0).all()
        entries = int((start[key] != 0).sum())  # a zero stays one
        if entries > 500:
            shares.append(int(changed.sum()) / entries)
            assert shares[-1] < 0.4 + 4 * math.sqrt(0.4 * 0.6 / entries)  # binomial
    # Each uniform in [0, 0.4]: a mean of 0.2 and a deviation of 0.4 / sqrt(12).
    error = 0.4 / math.sqrt(12 * len(shares))
    assert sum(shares) / len(shares) == pytest.approx(0.2, abs=3 * error)
    assert min(shares) < 0.04 and max(shares) > 0.36


@pytest.mark.parametrize('seed', [None, 0])
def test_random_drop_follows_the_runs_seed_or_its_own(build_unlearning, seed):
    def dropped(run_seed, task=1):
        model = build_unlearning(type='RandomDrop', seed=seed, task=task)
        torch.manual_seed(run_seed)
        torch.rand(3)  # what is drawn before must not matter
        model.method.before_task(model.detector, images)
        return torch.cat([(p == 0).flatten() for p in model.detector.parameters()])

    assert torch.equal(dropped(5), dropped(5))
    assert torch.equal(dropped(5), dropped(6)) == (seed is not None)
    if seed is not None:
        assert not torch.equal(dropped(5), dropped(5, task=2))


def test_gradient_ascent_is_the_negative_loss(build_unlearning, pair):
    model = build(build_unlearning, 'GradientAscent', aux_losses=False)
    inputs, data_samples = copy.deepcopy(pair)
    expected = mmdet_loss(model, inputs['forget'], data_samples['forget'])
    assert losses(model, pair) == pytest.approx({k: -v for k, v in expected.items()}, rel=1e-4)


def test_rehearsal_is_mmdets_whole_loss_on_retain_data(build_unlearning, pair):
    model = build(build_unlearning, 'RehearsalFinetune')
    inputs, data_samples = copy.deepcopy(pair)
    expected = {k: v.item() for k, v in model.detector.loss(
        inputs['retain'], data_samples['retain']).items()}
    assert losses(model, pair) == pytest.approx(expected, rel=1e-4)


def test_retrain_starts_from_scratch_or_from_the_checkpoint(build_unlearning, original):
    start = original.state_dict()
    torch.manual_seed(5)
    fresh = build_unlearning(type='Retrain').detector.state_dict()
    for key in ('backbone.conv1.weight', 'encoder.layers.0.ffn.layers.1.weight'):
        assert not torch.equal(fresh[key], start[key])
    kept = build_unlearning(type='Retrain', start='checkpoint').detector.state_dict()
    assert all(torch.equal(kept[key], start[key]) for key in start)


def test_retrain_from_scratch_keeps_nothing_that_was_trained(
        build_unlearning, original, tmp_path):
    trained = {k: torch.full_like(v, 77) for k, v in original.state_dict().items()}
    save_weights(trained, tmp_path / 'trained.pth', {})
    fresh = build_unlearning(
        weights=str(tmp_path / 'trained.pth'), type='Retrain').detector.state_dict()
    assert [key for key, value in fresh.items() if (value == 77).any()] == []


def test_retrain_on_coco_starts_from_imagenet(tmp_path):
    """Also the stem and the first stage, which stay frozen."""
    backbone = Config.fromfile(CONFIGS / 'methods/retrain.py').model.backbone
    assert backbone.init_cfg.checkpoint.startswith(
        'https://download.pytorch.org/models/resnet50-')
    detector = BaseModule()
    backbone.init_cfg.checkpoint = str(tmp_path / 'imagenet.pth')
    detector.backbone = MODELS.build(backbone)
    torch.save({k: torch.full_like(v, 77) for k, v in detector.backbone.state_dict().items()},
               backbone.init_cfg.checkpoint)
    assert METHODS.build(dict(type='Retrain', classes=CLASSES, split=SPLIT)).fresh
    detector.init_weights()  # as the wrapper does then
    assert all((value == 77).all() for value in detector.backbone.state_dict().values())
    assert not detector.backbone.conv1.weight.requires_grad


def test_only_retrain_needs_the_weights_of_imagenet():
    pretrained = {path.name for path in (CONFIGS / 'methods').glob('*.py')
                  if 'init_cfg' in Config.fromfile(path).model.backbone}
    assert pretrained == {'retrain.py'}


def test_retrain_does_not_print_how_it_initialises(build_unlearning, capfd):
    build_unlearning(type='Retrain')
    assert 'init' not in ''.join(capfd.readouterr())


def test_divergence_of_prototypes():
    torch.manual_seed(1)
    prototypes = torch.randn(3, 8)
    assert prototype_divergence(prototypes, prototypes).item() == pytest.approx(0, abs=1e-6)
    embeddings = torch.randn(3, 8)
    p, q = prototypes.softmax(-1).double(), embeddings.softmax(-1).double()
    wanted = (p * (p / q).log()).sum(-1).mean().item()
    assert prototype_divergence(embeddings, prototypes).item() == pytest.approx(wanted,
                                                                               rel=1e-5)
    assert prototype_divergence(embeddings[:0], prototypes[:0]).item() == 0


@pytest.mark.parametrize('aux_losses', [False, True])
def test_prototypes_are_the_rows_of_the_last_class_head(
        build_unlearning, original, pair, aux_losses):
    model = build(build_unlearning, 'GSLoRAPlusPlus', prototype_forget=0.5,
                  prototype_retain=0.25, prototype_bound=9.0, aux_losses=aux_losses)
    plain = build(build_unlearning, 'GSLoRA', aux_losses=aux_losses)
    for each in (model, plain):
        move(each)
    found, without = losses(model, pair), losses(plain, pair)
    assert {k: found[k] for k in without} == pytest.approx(without, rel=1e-5)
    inputs, data_samples = copy.deepcopy(pair)
    head, expected = original.bbox_head, {}
    for branch, labelled in data_samples.items():
        divergences = []
        for embeddings, logits, boxes, sample in zip(
                *said(model.detector, inputs[branch], labelled), labelled):
            labels = head._get_targets_single(logits, boxes, sample.gt_instances,
                                              sample.metainfo)[0]
            for q, c in enumerate(labels):
                if c < 5:
                    p = head.cls_branches[1].weight[c].double().softmax(-1)
                    divergences.append(
                        (p * (p / embeddings[q].double().softmax(-1)).log()).sum().item())
        expected[branch] = sum(divergences) / len(divergences)
    assert found['forget_prototype_loss'] == pytest.approx(
        0.5 * max(0, 9 - expected['forget']), rel=1e-4)
    assert found['retain_prototype_loss'] == pytest.approx(0.25 * expected['retain'], rel=1e-4)


def relabelled(pair, labels):
    """The forget batch, its three objects labelled anew."""
    inputs, data_samples = copy.deepcopy(pair)
    for sample, chosen in zip(data_samples['forget'], (labels[:1], labels[1:])):
        sample.gt_instances.labels = torch.tensor(chosen)
    return inputs['forget'], data_samples['forget']


def test_random_labels_are_retained_classes_with_data(build_unlearning, pair):
    """Each time the loss is MMDet's of some such labels, which are drawn for each object."""
    model = build(build_unlearning, 'DER', relabel='random', weight=0.0,
                  split=dict(SPLIT, missing=['b']))
    possible = [sum(mmdet_loss(model, *relabelled(pair, labels)).values())
                for labels in itertools.product([0, 2], repeat=3)]
    found = [sum(model.loss(*pair).values()).item() for _ in range(24)]
    nearest = [min(possible, key=lambda wanted: abs(wanted - each)) for each in found]
    assert found == pytest.approx(nearest, rel=1e-5)
    assert len(set(nearest)) > 4  # one draw an image could give four
    assert [s.gt_instances.labels.tolist() for s in pair[1]['forget']] == [[4], [4, 4]]


def test_the_sink_is_one_more_row_of_the_head(build_unlearning, original, pair):
    """Against MMDet's head with six classes, the last one being the sink.

    It is random, and as long as the rows of the last layer are on average.
    """
    model = build(build_unlearning, 'DER', relabel='sink', weight=0.0)
    weight = model.detector.get_parameter('decoder.layers.1.ffn.layers.1.weight')
    found = model.loss(*copy.deepcopy(pair))
    gradient, = torch.autograd.grad(sum(found.values()), weight)
    head = model.detector.bbox_head
    assert head.num_classes == head.cls_out_channels == 5
    rows = original.bbox_head.cls_branches[1].weight.data
    row = torch.randn(32, generator=torch.Generator().manual_seed(0))
    row *= rows.square().sum(1).sqrt().mean() / row.square().sum().sqrt()
    for i, branch in enumerate(head.cls_branches):
        wider = nn.Linear(branch.in_features, 6)
        wider.weight.data = torch.cat([branch.weight.data, row[None]])
        wider.bias.data = torch.cat([branch.bias.data, torch.tensor([-math.log(99)])])
        head.cls_branches[i] = wider
    head.num_classes = head.cls_out_channels = 6
    terms = model.detector.loss(*relabelled(pair, [5, 5, 5]))
    expected = {f'forget_{k}': v for k, v in terms.items() if not k.startswith('d0')}
    assert {k: v.item() for k, v in found.items()} == pytest.approx(
        {'replay_loss': 0, **{k: v.item() for k, v in expected.items()}}, rel=1e-4)
    wanted, = torch.autograd.grad(sum(expected.values()), weight)
    assert torch.allclose(gradient, wanted, rtol=1e-3, atol=1e-5 * wanted.abs().max().item())


def test_old_classes_are_not_brought_back_by_a_teacher(build_unlearning, pair):
    """Class 3 was erased before: the original's opinion on it must not count."""
    model = build(build_unlearning, 'DER', weight=1.0)
    with torch.no_grad():
        for branch in model.detector.bbox_head.cls_branches:
            branch.bias[3] -= 100
    assert losses(model, pair)['replay_loss'] == pytest.approx(0, abs=1e-3)


def matched(detector, said_by_it, sample_list):
    """Classes that MMDet matches to the queries, five for none."""
    _, logits, boxes = said_by_it
    return torch.stack(detector.bbox_head.get_targets(
        list(logits), list(boxes), [s.gt_instances for s in sample_list],
        [s.metainfo for s in sample_list])[0])


@pytest.fixture
def twins(original, tmp_path):
    """Weights by which two queries always look at nearly the same place, and their detector."""
    queries = original.query_embedding.weight.data
    queries[1::2] = queries[::2] + 0.02 * queries[1::2]
    path = tmp_path / 'twins.pth'
    save_weights(original.state_dict(), path, {})
    return str(path), original


def overlap(box, other):
    """IoU of two boxes x1, y1, x2, y2, from its definition."""
    width, height = (max(0, min(box[i + 2], other[i + 2]) - max(box[i], other[i]))
                     for i in (0, 1))
    areas = [(one[2] - one[0]) * (one[3] - one[1]) for one in (box, other)]
    return width * height / (sum(areas) - width * height)


def kinds(detector, spoken, sample_list):
    """Of each query: the class it is matched to, ~c beside an object of class c, 5 for none."""
    found = matched(detector, spoken, sample_list)
    for labels, boxes, sample in zip(found, spoken[2], sample_list):
        objects = sample.gt_instances
        for query, (x, y, w, h) in enumerate((64 * boxes).tolist()):
            overlaps = [overlap((x - w / 2, y - h / 2, x + w / 2, y + h / 2), each)
                        for each in objects.bboxes.tolist()]
            if labels[query] == 5 and overlaps and max(overlaps) >= 0.5:
                labels[query] = ~objects.labels[overlaps.index(max(overlaps))]
    return found


def on_the_queries(detector, images, sample_list):
    """Puts the objects where the detector looks, so that several queries look at each."""
    boxes = 64 * said(detector, images, sample_list)[2]
    for found, sample in zip(boxes, sample_list):
        for i in range(len(sample.gt_instances)):
            x, y, w, h = found[5 * i]
            sample.gt_instances.bboxes[i] = torch.stack([x - w / 2, y - h / 2, x + w / 2,
                                                         y + h / 2])


def buffers(original):
    """A function as the engine's, of images whose objects lie where the detector looks."""
    shown = {}
    for branch in ('forget', 'retain'):
        found = list(images(branch, 2))
        on_the_queries(original, torch.stack([image for image, _ in found]),
                       [sample for _, sample in found])
        shown[branch] = found
    return lambda branch, number: iter(copy.deepcopy(shown[branch]))


def test_linear_erasure_is_its_formula(build_unlearning, twins, pair):
    weights, original = twins
    model = build(build_unlearning, 'LinearErasure', erase=0.7, everywhere=3.0, keep=2.0,
                  num_images=2, weights=weights)
    shown = buffers(original)
    model.method.before_task(model.detector, shown)
    found, labels = [], []
    for branch in ('forget', 'retain'):
        for image, sample in shown(branch, 2):
            spoken = said(original, image[None], [sample])
            classes = kinds(original, spoken, [sample])
            found.append(spoken[0][classes != 5])
            labels.append(classes[classes != 5])
    x, c = torch.cat(found).double(), torch.cat(labels)
    assert [(c == kind).sum() for kind in (4, ~4, 1, ~1)] == [3, 3, 1, 1]
    expected = ErasureMap.of(x, torch.stack([c == 4, c == ~4], 1).double())
    assert torch.allclose(model.method.map.matrix.double(), expected.matrix, atol=1e-4)

    move(model)
    inputs, data_samples = copy.deepcopy(pair)
    for branch in ('forget', 'retain'):
        on_the_queries(original, inputs[branch], data_samples[branch])
    norm, parts = original.decoder.layers[-1].norms[-1], dict(every=[])
    for branch in ('forget', 'retain'):
        before = said(original, inputs[branch], data_samples[branch])
        now = said(model.detector, inputs[branch], data_samples[branch])[0]
        what = kinds(original, before, data_samples[branch])
        wanted = expected(before[0].double())
        # A layer norm gives what has mean zero and variance one, before its scale and shift.
        inside = (wanted - norm.bias) / norm.weight
        inside = (inside - inside.mean(-1, keepdim=True)) / (
            inside.var(-1, unbiased=False, keepdim=True) + norm.eps).sqrt()
        wanted = inside * norm.weight + norm.bias
        if branch == 'retain':
            wanted[what != 5] = before[0][what != 5].double()
        distance = (now - wanted).square().sum(-1)
        parts['every'].append(distance.flatten())
        if branch == 'retain':
            parts['kept'] = distance[what != 5]
        else:
            parts['matched'], parts['beside'] = distance[what == 4], distance[what == ~4]
    assert all(len(parts[name]) > 1 for name in parts)
    wanted = 0.7 * (3 * torch.cat(parts['every']).mean() + parts['matched'].mean()
                    + parts['beside'].mean() + 2 * parts['kept'].mean()).item()
    found = model.loss(inputs, data_samples)['erase_loss'].item()
    assert found == pytest.approx(wanted, rel=1e-3) and wanted > 0.1


def test_linear_erasure_starts_from_the_map(build_unlearning, twins):
    """Where hidden units can give it: with as many as places, the first step is already there."""
    weights, original = twins
    model = build(build_unlearning, 'LinearErasure', num_images=2, rank=16, lora_alpha=16,
                  weights=weights)
    shown = buffers(original)
    model.method.before_task(model.detector, shown)
    moved, asked = [], []
    for branch in ('forget', 'retain'):
        for image, sample in shown(branch, 2):
            before = said(original, image[None], [sample])
            what = kinds(original, before, [sample])
            gone = (what == 4) | (what == ~4)
            now = said(model.detector, image[None], [sample])[0]
            moved.append((now - before[0])[gone])
            asked.append((model.method.map(before[0]) - before[0])[gone])
            kept = (what != 5) & ~gone
            assert (now - before[0])[kept].norm() <= 0.3 * before[0][kept].norm()
    moved, asked = torch.cat(moved).flatten(), torch.cat(asked).flatten()
    assert torch.cosine_similarity(moved, asked, 0) > 0.9
    assert moved.norm() / asked.norm() == pytest.approx(1, abs=0.2)


def test_linear_erasure_starts_from_all_objects_and_a_third_as_many_other_places(
        build_unlearning, twins, monkeypatch):
    """Of these, those at retained objects are asked to stay."""
    given = []
    monkeypatch.setattr('gslora_det.methods.linear_erasure.low_rank_regression',
                        lambda *args: given.append(args) or low_rank_regression(*args))
    weights, original = twins
    model, shown = build(build_unlearning, 'LinearErasure', weights=weights), buffers(original)
    model.method.before_task(model.detector, shown)
    stay = []
    for branch in ('forget', 'retain'):
        for image, sample in shown(branch, 2):
            what = kinds(original, said(original, image[None], [sample]), [sample])
            objects = what[what != 5]
            stay += [kind not in (4, ~4) for kind in objects.tolist()]
            stay += [False] * round(len(objects) / 3)
    (inputs, wanted, _), = given
    assert len(inputs) == len(stay)
    assert [not row.any() for row in wanted] == stay
    assert 0 < sum(stay) < len(stay)


def test_the_map_is_found_without_dropout(build_unlearning, twins, tiny_config):
    weights, original = twins
    shown, found = buffers(original), []
    for share in (0.0, 0.5):
        tiny_config.decoder.layer_cfg.ffn_cfg.ffn_drop = share
        model = build(build_unlearning, 'LinearErasure', weights=weights)
        model.method.before_task(model.detector, shown)
        found.append(model.method.map.matrix)
    assert torch.equal(*found)


def test_images_that_run_together_are_all_images_in_order():
    """Also those of more than 2^18 pixels: one by one."""
    sizes = [(600, 600)] * 2 + [(256, 512)] * 3 + [(600, 600), (512, 512), (512, 256)]
    given = [(torch.full((1, *size), float(i)), f'sample {i}') for i, size in enumerate(sizes)]
    found = list(_together(given))
    assert [len(samples) for _, samples in found] == [1, 1, 2, 1, 1, 1, 1]
    assert [sample for _, samples in found for sample in samples] == [each for _, each in given]
    images = [image for images, _ in found for image in images]
    assert all(torch.equal(image, each) for image, (each, _) in zip(images, given))


def test_linear_erasure_adapts_what_the_class_is_read_off_last(build_unlearning):
    model = build(build_unlearning, 'LinearErasure')
    assert {name.rpartition('.')[0] for name in lora_state(model.detector)} == {
        'decoder.layers.1.ffn.layers.0.0', 'decoder.layers.1.ffn.layers.1',
        'bbox_head.cls_branches.1'}


def test_linear_erasure_resets_the_rows_and_its_adapter_says_so(build_unlearning, original):
    model = build(build_unlearning, 'LinearErasure', targets=['decoder.layers.1.ffn.*'])
    move(model)
    _, facts = model.method.adapter(model.detector)
    expected = copy.deepcopy(original)
    for name in ('bbox_head.cls_branches.0', 'bbox_head.cls_branches.1'):
        layer = expected.get_submodule(name)
        layer.weight.data[4], layer.bias.data[4] = 0, math.log(0.01 / 0.99)
    assert json.loads(facts['reset_rows'])['rows'] == FORGOTTEN
    model.method.after_task(model.detector)
    head = model.detector.bbox_head.state_dict()
    for key, value in expected.bbox_head.state_dict().items():
        assert torch.allclose(head[key], value), key
    exported = original.state_dict()
    _reset(exported, json.loads(facts['reset_rows']))
    assert all(torch.equal(exported[f'bbox_head.{key}'], value) for key, value in head.items())


def test_given_weights_are_those_of_the_file(build_unlearning, tiny_weights, tmp_path):
    given = {key: value + 1 for key, value in
             torch.load(tiny_weights, weights_only=True)['state_dict'].items()}
    save_weights(given, tmp_path / 'given.pth', {})
    model = build(build_unlearning, 'GivenWeights', weights=str(tmp_path / 'given.pth'))
    model.method.before_task(model.detector, None)
    for key, value in model.detector.state_dict().items():
        assert torch.equal(value, given[key]), key
    with pytest.raises(ValueError, match='absent.pth'):
        build(build_unlearning, 'GivenWeights', weights=str(tmp_path / 'absent.pth'))
