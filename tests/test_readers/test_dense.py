"""Dense heads of MMDet's own configs, as they are and as methods see them."""

import copy
import functools
import math

import pytest
import support
import torch
import torch.nn.functional as F
from mmdet.registry import MODELS
from mmdet.structures.bbox import bbox_overlaps, distance2bbox
from mmengine.config import ConfigDict
from mmengine.hub import get_config
from mmengine.structures import InstanceData
from support import CLASSES, SPLIT, save_weights

from gslora_det.lora import inject_lora, lora_groups, merge_lora, plain_state_dict
from gslora_det.methods.teacher import Memory, Teacher
from gslora_det.quiet import hushed_logs
from gslora_det.readers import Batch, DenseReader, reader_of
from gslora_det.registry import METHODS

CONFIGS = dict(
    RetinaNet='retinanet/retinanet_r18_fpn_1x_coco',
    FCOS='fcos/fcos_r50-caffe_fpn_gn-head_1x_coco',
    FCOS_plus='fcos/fcos_r50-caffe_fpn_gn-head-center-normbbox-centeronreg-giou_1x_coco',
    ATSS='atss/atss_r50_fpn_1x_coco', GFL='gfl/gfl_r50_fpn_1x_coco',
    RTMDet='rtmdet/rtmdet_tiny_8xb32-300e_coco', YOLOX='yolox/yolox_s_8xb8-300e_coco',
    RetinaNet_norms='retinanet/retinanet_r18_fpn_1x_coco',
    RTMDet_shared='rtmdet/rtmdet_tiny_8xb32-300e_coco')
# How many anchors a location has, and the layers that give the logits of five levels or three.
LAYERS = dict(
    RetinaNet=(9, ['retina_cls']), FCOS=(1, ['conv_cls']), FCOS_plus=(1, ['conv_cls']),
    ATSS=(1, ['atss_cls']), GFL=(1, ['gfl_cls']), RTMDet=(1, [f'rtm_cls.{i}' for i in range(3)]),
    YOLOX=(1, [f'multi_level_conv_cls.{i}' for i in range(3)]),
    RetinaNet_norms=(9, ['retina_cls']), RTMDet_shared=(1, ['rtm_cls']))
families = pytest.mark.parametrize('family', CONFIGS)
one_of_each = pytest.mark.parametrize('family', [name for name in CONFIGS if '_' not in name])


@functools.cache
def _config(name):
    return get_config(f'mmdet::{name}.py').model


def config(name):
    """One of MMDet's own configs, small."""
    cfg = copy.deepcopy(_config(CONFIGS.get(name, name)))
    cfg.data_preprocessor.pop('batch_augments', None)
    if cfg.backbone.type == 'ResNet':
        cfg.backbone.update(depth=18, base_channels=8, init_cfg=None)
        cfg.neck.in_channels = [8, 16, 32, 64]
    else:
        cfg.backbone.update(deepen_factor=0.167, widen_factor=0.125, init_cfg=None)
        cfg.neck.in_channels = [32, 64, 128]
        for part in (cfg.backbone, cfg.neck, cfg.bbox_head):
            part.norm_cfg = dict(type='BN')  # RTMDet's synchronised one needs a GPU to train
    cfg.neck.out_channels = 64
    cfg.bbox_head.update(num_classes=5, in_channels=64, feat_channels=64, stacked_convs=1)
    if name == 'RTMDet_shared':  # of which MMDet has no config
        cfg.bbox_head.type = 'RTMDetHead'
        del cfg.bbox_head.share_conv, cfg.bbox_head.exp_on_reg
    elif name == 'RetinaNet_norms':  # MMDet's has a neck for large images
        cfg.bbox_head.update(type='RetinaSepBNHead', num_ins=5, norm_cfg=dict(type='BN'))
    return cfg


@functools.cache
def _plain(family):
    torch.manual_seed(0)
    detector = MODELS.build(config(family))
    with hushed_logs():
        detector.init_weights()
    for parameter in detector.bbox_head.parameters():
        # MMDet starts it nearly constant, with scores and distances near zero.
        parameter.data += (2 * torch.rand_like(parameter) if parameter.dim() == 1 else
                           0.03 * torch.randn_like(parameter))
    norms = [m for m in detector.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:  # what they see here, or deep features are nearly constant
        norm.momentum = 1.0
    with torch.no_grad():
        detector.train()._forward(torch.randn(4, 3, 128, 128))
    for norm, momentum in zip(norms, momenta):
        norm.momentum = momentum
    return detector


def plain(family):
    """A detector with random weights, whose batch norms stay as they are."""
    detector = copy.deepcopy(_plain(family)).train()
    for module in detector.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eval()
    return detector


def samples(labels_per_image, size=64, seed=0):
    """As a data preprocessor leaves them."""
    found = support.samples(labels_per_image, size, seed)
    for number, sample in enumerate(found):
        sample.set_metainfo(dict(img_id=100 * seed + number))
    return found


@pytest.fixture
def pair():
    """A paired batch: class 4 is forgotten, 0 to 2 are retained, 3 was erased before."""
    inputs = dict(forget=torch.randn(2, 3, 64, 64), retain=torch.randn(3, 3, 64, 64))
    return inputs, dict(forget=samples([[4], [4, 4]]), retain=samples([[0, 1], [2], []], seed=1))


@pytest.fixture
def images():
    return torch.randn(2, 3, 128, 128)  # of more places than are compared


def batch_of(detector, images, labelled):
    return Batch(detector.extract_feat(images), labelled, images)


def batches_of(detector, pair):
    return [batch_of(detector, pair[0][branch], pair[1][branch]) for branch in pair[0]]


def read(detector, images, labelled):
    reading, = reader_of(detector).read(batch_of(detector, images, labelled))
    return reading


def summed(terms):
    return {name: sum(term) if isinstance(term, (list, tuple)) else term
            for name, term in terms.items() if 'loss' in name}


def values(terms):
    return {name: term.item() for name, term in terms.items()}


def gradients(detector, terms):
    """Of their sum, by all that trains."""
    trained = [p for p in detector.parameters() if p.requires_grad]
    return torch.autograd.grad(sum(terms.values()), trained, retain_graph=True,
                               allow_unused=True)


@families
def test_losses_are_mmdets_own(family, pair):
    detector = plain(family)
    reader, batches = reader_of(detector), batches_of(detector, pair)
    assert isinstance(reader, DenseReader)
    for batch, joint in zip(batches, reader.read(*batches)):
        own = summed(detector.loss(batch.images, copy.deepcopy(batch.data_samples)))
        alone, = reader.read(batch)
        found = reader.losses(alone).terms
        assert values(found) == values(own) and all(map(math.isfinite, values(own).values()))
        assert values(reader.losses(joint).terms) == pytest.approx(values(own), rel=1e-5)
        expected = gradients(detector, own)
        for each in (found, reader.losses(joint).terms):
            for a, b in zip(gradients(detector, each), expected):
                assert (a is None) == (b is None)
                assert a is None or torch.allclose(a, b, rtol=1e-4, atol=1e-5 * b.abs().max())


@families
def test_losses_are_the_same_in_evaluation(family, pair):
    """FCOS_plus gives distances of another unit then, which MMDet's loss does not know."""
    detector = plain(family)
    own = summed(detector.loss(pair[0]['retain'], copy.deepcopy(pair[1]['retain'])))
    reading = read(detector.eval(), pair[0]['retain'], pair[1]['retain'])
    losses = reader_of(detector).losses(reading)
    assert values(losses.terms) == pytest.approx(values(own), rel=1e-6)


def by_place(levels, size):
    """(images, places, size), each number picked by hand."""
    return torch.cat([level.reshape(len(level), -1, size, *level.shape[2:]).movedim(
        (1, 2), (3, 4)).flatten(1, 3) for level in levels], 1)


def matched_by_mmdet(detector, images, labelled):
    """The classes that MMDet's assigners give to places, 5 for none, and the logits there."""
    head, outputs = detector.bbox_head, detector._forward(images)
    sizes = [level.shape[2:] for level in outputs[0]]
    objects, metas = [s.gt_instances for s in labelled], [s.metainfo for s in labelled]
    logits = by_place(outputs[0], 5)
    kind = type(head).__name__
    if kind == 'FCOSHead':
        labels = head.get_targets(head.prior_generator.grid_priors(sizes, device='cpu'),
                                  objects)[0]
    elif kind == 'YOLOXHead':
        priors = torch.cat(head.prior_generator.grid_priors(
            sizes, device='cpu', with_stride=True))
        boxes, objectness = by_place(outputs[1], 4), by_place(outputs[2], 1)
        centres = boxes[..., :2] * priors[:, 2:] + priors[:, :2]
        half = boxes[..., 2:].exp() * priors[:, 2:] / 2
        boxes = torch.cat([centres - half, centres + half], -1)
        priors[:, :2] += priors[:, 2:] / 2
        found = []
        for each, score, gt in zip(boxes, logits.sigmoid() * objectness.sigmoid(), objects):
            result = head.assigner.assign(
                InstanceData(bboxes=each, scores=score.sqrt(), priors=priors), gt)
            # Of what overlaps its object nowhere, nobody learns the class.
            told = (result.gt_inds > 0) & (result.max_overlaps > 0)
            found.append(torch.where(told, result.labels, 5))
        return torch.stack(found), logits
    else:
        anchors, flags = head.get_anchors(sizes, metas, device='cpu')
        if kind.startswith('RTMDet'):
            points = torch.cat(head.prior_generator.grid_priors(sizes, device='cpu'))
            boxes = distance2bbox(points[None].expand(len(images), -1, -1),
                                  by_place(outputs[1], 4))
            labels = head.get_targets(logits, boxes, anchors, flags, objects, metas)[1]
        else:
            targets = head.get_targets(anchors, flags, objects, metas)
            labels = targets[0 if kind.startswith('Retina') else 1]
    # Each level is of all images.
    return torch.cat([level.reshape(len(images), -1) for level in labels], 1), logits


@families
@torch.no_grad()
def test_matched_is_what_the_heads_own_assigner_matches(family, pair):
    detector = plain(family)
    for branch, images in pair[0].items():
        labelled = pair[1][branch]
        labels, logits = matched_by_mmdet(detector, images, copy.deepcopy(labelled))
        found = labels < 5
        expected = sorted(zip(labels[found].tolist(), logits[found, labels[found]].tolist()))
        assert expected
        losses = reader_of(detector).losses(read(detector, images, labelled))
        assert list(losses.matched) == ['']
        matched = losses.matched['']
        assert matched.embeddings is None
        assert sorted(zip(matched.labels.tolist(), matched.odds.tolist())) == expected


@one_of_each
def test_nothing_is_matched_without_objects(family, pair):
    detector = plain(family)
    losses = reader_of(detector).losses(read(detector, pair[0]['forget'], samples([[], []])))
    assert losses.matched[''].odds.shape == losses.matched[''].labels.shape == (0,)
    assert losses.matched[''].odds.requires_grad and losses.terms['loss_cls'].isfinite()


def rows(scores, labels, boxes):
    """One a detection, sorted."""
    parts = scores.double().round(decimals=12)[:, None], labels[:, None], boxes
    return torch.tensor(sorted(torch.cat(parts, 1).tolist()))


@families
@torch.no_grad()
def test_boxes_are_those_of_mmdets_predictions(family, images):
    """All boxes, with the scores and classes of their places."""
    detector = plain(family).eval()
    labelled = samples([[], []], 128)
    # In double precision hardly any two scores are equal.
    outputs = [[level.double() for level in levels] for levels in detector._forward(images)]
    predicted = detector.bbox_head.predict_by_feat(
        *outputs, batch_img_metas=[s.metainfo for s in labelled],
        cfg=ConfigDict(score_thr=0.0, nms_pre=10**6, min_bbox_size=-1), with_nms=False)
    reading = read(detector, images, labelled)
    scores = reading.odds.double().sigmoid()
    if len(outputs) == 3:
        scores *= by_place(outputs[2], 1).sigmoid()
    for expected, boxes, score in zip(predicted, 128 * reading.boxes, scores):
        place, label = torch.ones_like(score).nonzero().T
        if family == 'YOLOX':  # which neither clips boxes nor tells of more than one class
            place, label = torch.arange(len(score)), score.argmax(1)
        else:
            boxes = boxes.clamp(0, 128)
        found = rows(score[place, label], label, boxes[place])
        assert torch.allclose(found, rows(expected.scores, expected.labels, expected.bboxes),
                              rtol=1e-4, atol=1e-3)


@one_of_each
def test_boxes_carry_gradients_to_the_layers_that_give_them(family, images):
    detector = plain(family)
    names = [name for name in dict(detector.named_parameters())
             if name.startswith('bbox_head') and 'reg' in name and name.endswith('weight')]
    boxes = read(detector, images, samples([[], []], 128)).boxes
    assert boxes.shape[2] == 4
    found = torch.autograd.grad(boxes.sum(), [detector.get_parameter(n) for n in names])
    assert len(names) >= 2 and all((gradient != 0).any() for gradient in found)


def moved(detector):
    """Another detector of the same config."""
    detector = copy.deepcopy(detector)
    for parameter in detector.parameters():
        parameter.data *= 1 + 0.1 * torch.randn_like(parameter)
    return detector


@one_of_each
@torch.no_grad()
def test_detectors_are_compared_where_the_teacher_sees_most(family, images):
    detector = plain(family)
    student, labelled = moved(detector), samples([[0], [1]], 128)
    outputs = detector.eval()._forward(images)
    score = by_place(outputs[0], 5).amax(-1).sigmoid()
    if len(outputs) == 3:
        score *= by_place(outputs[2], 1)[..., 0].sigmoid()
    best = score.sort(descending=True).indices[:, :100]
    assert score.shape[1] > 100
    taught = Teacher(detector)(batch_of(detector, images, labelled))
    assert torch.equal(taught.places.sort().values, best.sort().values)
    reading = read(student, images, labelled)
    there = reader_of(student).at(reading, taught)
    for row, places in enumerate(taught.places):
        everything = by_place(outputs[0], 5)[row, places]
        assert torch.allclose(taught.odds[row], everything, rtol=1e-5, atol=1e-5)
        assert torch.equal(there.odds[row], reading.odds[row, places])
        assert torch.equal(there.boxes[row], reading.boxes[row, places])
    assert not torch.allclose(there.odds, taught.odds, atol=1e-3)
    few = read(detector, images[:, :, :32, :32], samples([[], []], 32))
    assert family == 'RetinaNet' or len(reader_of(detector).telling(few).places[0]) < 30


@one_of_each
@torch.no_grad()
def test_equal_detectors_say_the_same_and_a_memory_remembers_it(family, images):
    detector = plain(family).eval()
    batch = batch_of(detector, images, samples([[0], [1]], 128))
    memory = Memory(Teacher(copy.deepcopy(detector)), detector)
    reader, taught = reader_of(detector), Teacher(copy.deepcopy(detector))(batch)
    for seen in (taught, memory(batch), memory(batch)):
        there = reader.at(reader.read(batch)[0], seen)
        assert (there.odds - seen.odds).abs().max() == 0
        assert (there.boxes - seen.boxes).abs().max() == 0
    turned = memory(batch.pick([1, 0]))
    assert torch.equal(turned.places, taught.places.flip(0))
    assert torch.equal(turned.odds, taught.odds.flip(0))
    assert torch.equal(turned.boxes, taught.boxes.flip(0))
    padded = torch.nn.functional.pad(images, (0, 128))  # beside a wider image, places are others
    for sample in batch.data_samples:
        sample.set_metainfo(dict(batch_input_shape=(128, 256)))
    wider = batch_of(detector, padded, batch.data_samples)
    seen = memory(wider)
    assert torch.equal(reader.at(reader.read(wider)[0], seen).odds, seen.odds)


@pytest.fixture
def crowd(pair):
    """Images, annotations, and the same with ignored objects where a detector sees some."""
    def make(detector):
        images, labelled = pair[0]['retain'], pair[1]['retain']
        labels, _ = matched_by_mmdet(detector, images, copy.deepcopy(labelled))
        boxes = 64 * read(detector, images, labelled).boxes.detach()
        # Boxes of some places, matched ones and others, in two of the images.
        ignored = [torch.cat([boxes[0, labels[0] < 5][:2], boxes[0, labels[0] == 5][::9]]),
                   boxes[1, -9::4], torch.zeros(0, 4)]
        out = torch.stack([(bbox_overlaps(each, those) >= 0.5).any(1) if len(those) else
                           torch.zeros(len(each)).bool() for each, those in zip(boxes, ignored)])
        crowded = copy.deepcopy(labelled)
        for sample, those in zip(crowded, ignored):
            sample.ignored_instances = InstanceData(
                bboxes=those, labels=torch.zeros(len(those), dtype=torch.long))
        assert 0 < (out & (labels == 5)).sum() < (labels == 5).sum() and out[labels < 5].any()
        return images, labelled, crowded, out & (labels == 5), labels
    return make


@one_of_each
def test_ignored_objects_take_their_unmatched_places_out_of_the_loss(family, crowd):
    """Nothing pushes these, and everything pushes the others as before."""
    detector = plain(family)
    images, labelled, crowded, out, _ = crowd(detector)
    term, output = ('loss_obj', 2) if family == 'YOLOX' else ('loss_cls', 0)
    losses, pushes = [], []
    for each in (labelled, crowded):
        reading = read(detector, images, each)
        losses.append(reader_of(detector).losses(reading))
        pushes.append(by_place(torch.autograd.grad(
            losses[-1].terms[term], reading.outputs[output], retain_graph=True),
            1 if family == 'YOLOX' else 5))
    assert torch.equal(pushes[1], pushes[0].masked_fill(out[..., None], 0))
    assert (pushes[0][out] != 0).any() and (pushes[1] != 0).any()
    for name, value in losses[0].terms.items():
        assert (losses[1].terms[name] == value) == (name != term)
    assert torch.equal(*(each.matched[''].odds for each in losses))


@torch.no_grad()
def test_mmdet_gets_the_ignored_objects_too(pair):
    """An assigner that looks at them leaves out all anchors in them, here in half of an image."""
    detector = plain('RetinaNet')
    detector.bbox_head.assigner.ignore_iof_thr = 0.5
    images, labelled = pair[0]['forget'], pair[1]['forget']
    found, expected = [], []
    for ignored in (torch.zeros(0, 4), torch.tensor([[-1000., 32, 1000, 1000]])):
        labelled[0].ignored_instances = InstanceData(
            bboxes=ignored, labels=torch.zeros(len(ignored), dtype=torch.long))
        losses = reader_of(detector).losses(read(detector, images, labelled))
        found.append(values(losses.terms))
        expected.append(values(summed(detector.loss(images, copy.deepcopy(labelled)))))
    assert found == expected and found[0]['loss_cls'] > found[1]['loss_cls']


def binary(logits, targets):
    return F.binary_cross_entropy_with_logits(logits, targets, reduction='none')


@torch.no_grad()
def test_focal_loss_without_ignored_objects(crowd):
    detector = plain('FCOS')
    images, _, crowded, out, labels = crowd(detector)
    logits, targets = by_place(detector._forward(images)[0], 5), F.one_hot(labels, 6)[..., :5]
    p = logits.sigmoid()
    focal = torch.where(targets > 0, 0.25 * (1 - p)**2, 0.75 * p**2) * binary(
        logits, targets.float())
    found = reader_of(detector).losses(read(detector, images, crowded)).terms
    assert found['loss_cls'].item() == pytest.approx(
        (focal[~out].sum() / (labels < 5).sum()).item(), rel=1e-5)


@torch.no_grad()
def test_objectness_without_ignored_objects(crowd):
    detector = plain('YOLOX')
    images, _, crowded, out, labels = crowd(detector)
    each = binary(by_place(detector._forward(images)[2], 1)[..., 0], (labels < 5).float())
    found = reader_of(detector).losses(read(detector, images, crowded)).terms
    assert found['loss_obj'].item() == pytest.approx(
        (each[~out].sum() / (labels < 5).sum()).item(), rel=1e-5)


@one_of_each
@torch.no_grad()
def test_lora_starts_equal_and_merges_into_a_plain_detector(family, images):
    detector = plain(family).eval().requires_grad_(False)
    original, expected = copy.deepcopy(detector), detector._forward(images)
    groups = inject_lora(detector, 2)
    assert any(g.name.startswith('bbox_head.') for g in groups) and any(
        g.name.startswith('neck.') for g in groups)

    def outputs(detector):
        return [level for levels in detector._forward(images) for level in levels]

    for level, same in zip(outputs(detector), [each for part in expected for each in part]):
        assert torch.equal(level, same)
    for group in lora_groups(detector):
        for layer in group.layers.values():
            torch.nn.init.normal_(layer.lora_B, std=1.0)
    changed = outputs(detector)
    merge_lora(detector)
    MODELS.build(config(family)).load_state_dict(plain_state_dict(detector), strict=True)
    original.load_state_dict(plain_state_dict(detector), strict=True)
    for merged, unmerged, before in zip(outputs(original), changed, expected[0]):
        assert torch.allclose(merged, unmerged, rtol=1e-5, atol=1e-5 * unmerged.abs().max())
        assert (unmerged - before).abs().max() > 100 * (merged - unmerged).abs().max()


@pytest.fixture(scope='module')
def unlearning(tmp_path_factory):
    """An unlearning detector that starts from the weights of the plain one."""
    folder = tmp_path_factory.mktemp('weights')

    def build(family, split=SPLIT, **method):
        weights = folder / f'{family}.pth'
        if not weights.exists():
            save_weights(_plain(family).state_dict(), weights, {})
        return MODELS.build(dict(
            type='UnlearningDetector', detector=config(family), weights=str(weights),
            method=dict(dict(type='GSLoRA', classes=CLASSES, split=split), **method)))
    return build


@families
@torch.no_grad()
def test_head_mask_silences_its_classes_and_nothing_else(family, images, unlearning):
    split = dict(retained=['a', 'c'], forgotten=['b', 'e'], old=['d'])
    model = unlearning(family, type='HeadMask', split=split).eval()
    model.detector.bbox_head.test_cfg.score_thr = 0.0
    original = plain(family).eval()
    model.method.before_task(model.detector, None)
    anchors, layers = LAYERS[family]
    expected = original.state_dict()
    for layer in layers:
        for row in [5 * anchor + c for anchor in range(anchors) for c in (1, 4)]:
            expected[f'bbox_head.{layer}.weight'][row] = 0
            expected[f'bbox_head.{layer}.bias'][row] = -math.log(99)
    found = model.detector.state_dict()
    assert all(torch.equal(found[key], value) for key, value in expected.items())
    original = plain(family).eval()
    before, after = original._forward(images), model(images, mode='tensor')
    assert all(torch.equal(*pair) for kind in zip(before[1:], after[1:]) for pair in zip(*kind))
    before, after = by_place(before[0], 5), by_place(after[0], 5)
    assert torch.equal(after[..., [0, 2, 3]], before[..., [0, 2, 3]])
    assert (after[..., [1, 4]] == torch.tensor(-math.log(99))).all()
    shown, = model(images[:1], samples([[]], 128), mode='predict')
    scores = shown.pred_instances.scores[torch.isin(
        shown.pred_instances.labels, torch.tensor([1, 4]))]
    assert len(shown.pred_instances) and (scores <= 0.01 + 1e-6).all()


def buffer(branch, number):
    """The images of a branch, as the sequence hands them to methods."""
    labels = dict(forget=[[4], [4, 4]], retain=[[0, 1], []])[branch]
    return zip(torch.randn(2, 3, 64, 64), samples(labels))


EMBED = 'DAMP', 'GSLoRAPlusPlus', 'LAF', 'LinearErasure'
OTHERS = sorted(set(METHODS.module_dict).difference(EMBED, ['GivenWeights']))  # none given


@pytest.mark.parametrize('method', OTHERS)
@one_of_each
def test_every_method_moves_what_it_trains(method, family, pair, unlearning):
    options = dict(rank=2, distill=1.0, hold=1.0) if method == 'GSLoRA' else {}
    with hushed_logs():
        model = unlearning(family, type=method, **options)
    before = copy.deepcopy(dict(model.detector.named_parameters()))
    model.method.before_task(model.detector, buffer)
    if not METHODS.get(method).trains:
        model.method.after_task(model.detector)
        state = model.detector.state_dict()
        assert any(not torch.equal(state[name], old) for name, old in before.items())
        assert all(value.isfinite().all() for value in state.values())
        return
    model.train()
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=1e-3)
    terms = model.loss(*pair)
    assert all(torch.isfinite(term) for term in terms.values())
    sum(term for name, term in terms.items() if 'loss' in name).backward()
    optimizer.step()
    changed = {name for name, p in model.detector.named_parameters()
               if not torch.equal(p, before[name])}
    assert changed and changed <= {n for n, p in before.items() if p.requires_grad}


@pytest.mark.parametrize('method', [
    dict(type='GSLoRAPlusPlus', rank=2), dict(type='LinearErasure', rank=2), dict(type='LAF'),
    dict(type='DAMP'), dict(type='LwF', relabel='sink')])
def test_methods_that_need_embeddings_are_refused(method):
    with pytest.raises(ValueError, match='needs one embedding a place') as error:
        MODELS.build(dict(
            type='UnlearningDetector', detector=config('GFL'), weights='nowhere.pth',
            method=dict(classes=CLASSES, split=SPLIT, **method)))
    assert '\n' not in str(error.value)


@pytest.mark.parametrize('cached', [False, True])
@one_of_each
def test_distillation_and_hold_start_at_zero(family, cached, pair, unlearning):
    model = unlearning(family, distill=1.0, hold=1.0, rank=2, cache_teachers=cached).train()
    for _ in range(2):
        found = model.loss(*copy.deepcopy(pair))
        for name in ('distill_loss_cls', 'distill_loss_bbox', 'hold_loss'):
            assert found[name].item() == pytest.approx(0, abs=1e-6)


def changed(name, **head):
    cfg = config(name)
    for key, value in head.items():  # not update(), which merges
        cfg.bbox_head[key] = value
    return cfg


SOFTMAX = dict(type='CrossEntropyLoss', use_sigmoid=False)
GHM = dict(type='GHMC')


@pytest.mark.parametrize('cfg, message', [
    (lambda: get_config('mmdet::ssd/ssd300_coco.py').model, 'one stage with a RetinaHead or'),
    (lambda: get_config('mmdet::cornernet/cornernet_hourglass104_8xb6-210e-mstest_coco.py').model,
     'one stage with a RetinaHead or'),
    (lambda: config('tood/tood_r50_fpn_1x_coco'), 'one stage with a RetinaHead or'),
    (lambda: config('paa/paa_r50_fpn_1x_coco'), 'one stage with a RetinaHead or'),
    (lambda: config('fsaf/fsaf_r50_fpn_1x_coco'), 'one stage with a RetinaHead or'),
    (lambda: changed('RetinaNet', loss_cls=SOFTMAX), 'with a sigmoid a class'),
    (lambda: changed('RetinaNet', loss_cls=GHM), 'a focal loss or cross-entropy'),
    (lambda: changed('RTMDet', with_objectness=True), 'with_objectness=False')])
def test_other_heads_are_refused(cfg, message):
    cfg = cfg()
    cfg.backbone.init_cfg = None
    with torch.device('meta'):
        detector = MODELS.build(cfg)
    with pytest.raises(ValueError, match=f'DenseReader misses .*{message}') as error:
        reader_of(detector)
    assert '\n' not in str(error.value)


def test_other_detectors_are_refused():
    detector = plain('GFL')
    detector.bbox_head.gfl_cls.bias = None
    assert DenseReader.misses(detector) == 'a bias in the class layer'

    class Taught(type(detector)):
        def loss(self, inputs, samples):
            return {}

    detector.__class__ = Taught
    assert DenseReader.misses(detector) == "SingleStageDetector's own loss"
    assert DenseReader.misses(torch.nn.Linear(1, 1)).startswith('one stage')
