"""Two-stage detectors from MMDet's own configs, small."""

import copy
import functools
import math

import numpy as np
import pytest
import torch
from mmengine.hub import get_config
from mmengine.structures import InstanceData
from support import CLASSES, SPLIT, samples
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

import gslora_det  # noqa: F401

# isort: split
from mmdet.registry import MODELS
from mmdet.structures.bbox import bbox2roi
from mmdet.structures.mask import BitmapMasks

from gslora_det.lora import inject_lora, lora_groups, merge_lora, plain_state_dict
from gslora_det.methods.teacher import quiet_reading
from gslora_det.readers import Batch, RoIReader, join, reader_of, roi
from gslora_det.registry import METHODS
from gslora_det.weights import save_weights

FAMILIES = {'faster': 'faster_rcnn/faster-rcnn_r50_fpn_1x_coco',
            'mask': 'mask_rcnn/mask-rcnn_r50_fpn_1x_coco',
            'cascade': 'cascade_rcnn/cascade-rcnn_r50_fpn_1x_coco',
            'cascade mask': 'cascade_rcnn/cascade-mask-rcnn_r50_fpn_1x_coco',
            'ohem': 'faster_rcnn/faster-rcnn_r50_fpn_ohem_1x_coco'}  # asks for losses to sample
of_all = pytest.mark.parametrize('family', FAMILIES)
of_families = pytest.mark.parametrize('family', [*FAMILIES][:3])


@functools.lru_cache(None)
def own_config(name):
    """One of MMDet's own configs, which takes MMEngine a while to find."""
    return get_config(f'mmdet::{name}.py').model


def listed(part):
    """A cascade has lists of heads and of their configs."""
    return list(part) if isinstance(part, (list, torch.nn.ModuleList)) else [part]


def small(name, classes=5):
    """One of MMDet's own configs, small."""
    cfg = copy.deepcopy(own_config(name))
    cfg.backbone.update(depth=18, base_channels=8, init_cfg=None)
    cfg.neck.update(in_channels=[8, 16, 32, 64], out_channels=16)
    cfg.rpn_head.update(in_channels=16, feat_channels=16)
    cfg.roi_head.bbox_roi_extractor.out_channels = 16
    for head in listed(cfg.roi_head.bbox_head):
        head.update(in_channels=16, fc_out_channels=32, num_classes=classes)
    if 'mask_head' in cfg.roi_head:
        cfg.roi_head.mask_roi_extractor.out_channels = 16
        for head in listed(cfg.roi_head.mask_head):
            head.update(in_channels=16, conv_out_channels=16, num_classes=classes)
    for proposals in (cfg.train_cfg.rpn_proposal, cfg.test_cfg.rpn):
        proposals.update(nms_pre=30, max_per_img=40)
    for each in listed(cfg.train_cfg.rcnn):
        each.sampler.num = 32
    return cfg


def build(family):
    """A detector with random weights that say something."""
    torch.manual_seed(0)
    detector = MODELS.build(small(FAMILIES[family])).train()
    for parameter in [*detector.rpn_head.parameters(), *detector.roi_head.parameters()]:
        parameter.data += 0.1 * torch.randn_like(parameter)
    return detector


def labelled(labels_per_image, seed=0):
    """Annotations with masks, of objects as large as anchors are."""
    found = samples(labels_per_image, seed=seed)
    for sample in found:
        boxes = sample.gt_instances.bboxes
        boxes[:, :2] /= 4
        boxes[:, 2:] += 12
        boxes.clamp_(max=64)
        masks = np.zeros((len(boxes), 64, 64), np.uint8)
        for mask, (left, top, right, bottom) in zip(masks, boxes.int().tolist()):
            mask[top:bottom, left:right] = 1
        sample.gt_instances.masks = BitmapMasks(masks, 64, 64)
    return found


@pytest.fixture
def pair():
    """As in support: 4 is forgotten, 0 to 2 are retained."""
    forget, retain = labelled([[4], [4, 4]]), labelled([[0, 1], [2], []], seed=1)
    inputs = dict(forget=torch.randn(2, 3, 64, 64), retain=torch.randn(3, 3, 64, 64))
    return inputs, dict(forget=forget, retain=retain)


def batches(detector, pair):
    """Forget and retain, after backbone and neck."""
    features = detector.extract_feat(torch.cat([*pair[0].values()]))
    whole = Batch(features, sum(pair[1].values(), []), torch.cat([*pair[0].values()]))
    return whole.pick(slice(0, 2)), whole.pick(slice(2, 5))


def own_losses(detector, images, data_samples):
    """MMDet's terms: of lists over levels, the sum."""
    found = detector.loss(images, copy.deepcopy(data_samples))
    return {name: sum(part.sum() for part in listed(term)) for name, term in found.items()
            if 'loss' in name}


def values(terms):
    return {name: term.item() for name, term in terms.items()}


def stages(detector):
    """What stands before ``loss_cls``, and the box head."""
    heads = listed(detector.roi_head.bbox_head)
    return {f's{i}.' if len(heads) > 1 else '': head for i, head in enumerate(heads)}


@pytest.fixture
def asked(monkeypatch):
    """Has box heads note logits, regions, labels and their weights when MMDet trains."""
    def listen(detector):
        notes = {}
        for name, head in stages(detector).items():
            def note(own=head.loss_and_target, name=name, **given):
                found = own(**given)
                notes[name] = (given['cls_score'].detach(), given['rois'],
                               *found['bbox_targets'][:2])
                return found
            monkeypatch.setattr(head, 'loss_and_target', note)
        return notes
    return listen


@of_all
def test_losses_of_a_batch_are_mmdets_bit_for_bit(family, pair):
    detector = build(family)
    images, data_samples = pair[0]['forget'], pair[1]['forget']
    torch.manual_seed(1)
    expected = own_losses(detector, images, data_samples)
    reader = reader_of(detector)
    reading, = reader.read(Batch(detector.extract_feat(images), data_samples, images))
    torch.manual_seed(1)
    assert values(reader.losses(reading).terms) == values(expected)


@of_families
def test_losses_and_gradients_of_two_batches_are_mmdets(family, pair):
    detector = build(family)
    torch.manual_seed(1)
    expected = [own_losses(detector, pair[0][name], pair[1][name]) for name in pair[0]]
    sum(sum(terms.values()) for terms in expected).backward()
    gradients = {name: p.grad for name, p in detector.named_parameters()}
    detector.zero_grad()
    reader = reader_of(detector)
    readings = reader.read(*batches(detector, pair))
    torch.manual_seed(1)
    found = [reader.losses(reading).terms for reading in readings]
    sum(sum(terms.values()) for terms in found).backward()
    for terms, own in zip(found, expected):
        assert values(terms) == pytest.approx(values(own), rel=1e-4)
    for name, parameter in detector.named_parameters():
        if gradients[name] is None:
            assert parameter.grad is None
        else:
            within = 1e-4 * gradients[name].abs().max()
            assert (parameter.grad - gradients[name]).abs().max() <= within, name


@of_all
def test_matched_are_the_regions_that_mmdet_samples(family, pair, asked):
    detector = build(family)
    images, data_samples = pair[0]['retain'], pair[1]['retain']
    notes = asked(detector)
    torch.manual_seed(1)
    own_losses(detector, images, data_samples)
    own, reader = dict(notes), reader_of(detector)
    reading, = reader.read(Batch(detector.extract_feat(images), data_samples, images))
    torch.manual_seed(1)
    matched = reader.losses(reading).matched
    assert [*matched] == [*reversed(own)]  # class_layers()[-1] is the first one's
    for name, head in stages(detector).items():
        logits, _, labels, _ = own[name]
        logits, labels = logits[labels < 5], labels[labels < 5]
        assert len(labels) > 4  # more than the objects themselves
        assert torch.equal(matched[name].labels, labels)
        p = logits.double().softmax(1)[range(len(labels)), labels]
        assert torch.allclose(matched[name].odds.double(), (p / (1 - p)).log(), atol=1e-4)
        assert torch.allclose(head.fc_cls(matched[name].embeddings), logits, atol=1e-5)


@torch.no_grad()
def said(detector, batch, places):
    """By MMDet's heads and box coders: logits, boxes and embeddings at places."""
    logits, embeddings = 0, []
    for stage, head in enumerate(stages(detector).values()):
        boxes, classes = places[:, :, stage].split([4, 1], -1)
        extractor = listed(detector.roi_head.bbox_roi_extractor)[stage]
        regions = bbox2roi(list(boxes))
        features = extractor(batch.features[:4], regions).flatten(1)
        for fc in head.shared_fcs:
            features = fc(features).relu()
        embeddings.append(features)
        logits = logits + head.fc_cls(features)
        deltas = head.fc_reg(features).unflatten(1, (-1, 4))
        if deltas.shape[1] > 1:
            deltas = deltas[range(len(deltas)), classes.long().flatten()]
        decoded = head.bbox_coder.decode(regions[:, 1:], deltas.flatten(1), (64, 64))
    return [part.unflatten(0, boxes.shape[:2])
            for part in (logits / (stage + 1), decoded / 64, torch.cat(embeddings, 1))]


@of_families
@torch.no_grad()
def test_places_are_the_rpns_best_and_move_as_in_inference(family, pair, monkeypatch):
    detector = build(family)
    detector.rpn_head.test_cfg.max_per_img = 100
    whole = join(*batches(detector, pair))
    proposals = detector.rpn_head.predict(whole.features, whole.data_samples)
    numbers = [len(each) for each in proposals]
    assert len(set(numbers)) > 1
    reading, = reader_of(detector).read(whole)
    assert reading.places.shape == (5, max(numbers), len(stages(detector)), 5)
    for own, boxes in zip(proposals, reading.places[:, :, 0, :4]):
        assert torch.equal(own.bboxes, boxes[:len(own)])
        assert (boxes[len(own):] == torch.tensor([0, 0, 64, 64])).all()
    # Where a cascade looks last, and its mean logits.
    same = [InstanceData(bboxes=boxes) for boxes in reading.places[:, :, 0, :4]]
    logits, deltas, *_ = detector.roi_head.forward(whole.features, same, whole.data_samples)
    if family == 'cascade':
        regions, logits, deltas = detector.roi_head._refine_roi(
            whole.features, bbox2roi([each.bboxes for each in same]),
            [s.metainfo for s in whole.data_samples], [max(numbers)] * 5)
        assert torch.equal(reading.places[:, :, -1, :4], torch.stack(regions)[..., 1:])
        logits, deltas = torch.stack(logits), torch.stack(deltas)
    assert torch.equal(reading.logits.flatten(), logits.flatten())
    if family != 'cascade':
        assert torch.equal(reading.places[:, :, 0, 4], reading.logits[..., :5].argmax(-1))
    monkeypatch.setattr(roi, '_PLACES', 7)
    fewer, = reader_of(detector).read(whole)
    assert torch.equal(fewer.places[:, :, 0], reading.places[:, :7, 0])


@of_families
def test_reading_is_what_the_heads_say_at_the_places(family, pair):
    detector = build(family)
    both = batches(detector, pair)
    readings = reader_of(detector).read(*both)
    places = torch.cat([reading.places for reading in readings])
    for number, expected in enumerate(said(detector, join(*both), places)):
        found = [(r.logits, r.boxes, r.embeddings)[number] for r in readings]
        assert torch.allclose(torch.cat(found), expected, atol=1e-4)
        assert expected.std() > 0.01
    assert not places.requires_grad
    sum(reading.boxes.sum() for reading in readings).backward()
    assert listed(detector.roi_head.bbox_head)[-1].fc_reg.weight.grad.abs().sum() > 0


@of_families
def test_teachers_look_where_the_student_looks(family, pair):
    teacher = build(family)
    student = copy.deepcopy(teacher)
    batch = join(*batches(teacher, pair))
    ours, = reader_of(student).read(batch)
    its = quiet_reading(teacher, batch, ours.places)
    for name in ('logits', 'boxes', 'embeddings', 'places'):
        assert torch.equal(getattr(ours, name), getattr(its, name)), name
    for parameter in student.parameters():
        parameter.data += 0.05 * torch.randn_like(parameter)
    ours, = reader_of(student).read(batch)
    its = quiet_reading(teacher, batch, ours.places)
    own = quiet_reading(teacher, batch)
    assert own.places.shape != its.places.shape or not torch.equal(own.places, its.places)
    assert torch.equal(its.places, ours.places)
    for found, expected in zip((its.logits, its.boxes, its.embeddings),
                               said(teacher, batch, ours.places)):
        assert torch.allclose(found, expected, atol=1e-4)


def overlap(a, b):
    """IoU of two boxes."""
    sides = (torch.minimum(a[2:], b[2:]) - torch.maximum(a[:2], b[:2])).clamp(min=0)
    areas = [(box[2:] - box[:2]).prod() for box in (a, b)]
    return (sides.prod() / (sum(areas) - sides.prod())).item()


@of_families
def test_labels_are_of_the_objects_below_a_region(family, pair):
    detector = build(family)
    batch = batches(detector, pair)[1]
    reading, = reader_of(detector).read(batch)
    labels = reader_of(detector).labels(reading)
    assert {0, 5} < set(labels.flatten().tolist())
    for sample, regions, row in zip(batch.data_samples, reading.places[:, :, -1, :4], labels):
        objects = sample.gt_instances
        for region, label in zip(regions, row.tolist()):
            found = [(overlap(region, box), c) for box, c in zip(
                objects.bboxes, objects.labels.tolist())] + [(0, 5)]
            assert label == (max(found)[1] if max(found)[0] >= 0.5 else 5)


@of_families
def test_background_on_ignored_objects_is_not_in_the_class_loss(family, pair, asked):
    detector = build(family)
    images, data_samples = pair[0]['retain'], pair[1]['retain']
    crowds = {0: data_samples[0].gt_instances.bboxes[0],  # which regions are matched to, too
              2: torch.tensor([4., 4., 60., 64.])}
    for image, crowd in crowds.items():
        data_samples[image].ignored_instances = InstanceData(
            bboxes=crowd[None], labels=torch.zeros(1, dtype=torch.long))
    notes, of_rpn = asked(detector), []
    handle = detector.rpn_head.loss_cls.register_forward_pre_hook(
        lambda _, args, kwargs: of_rpn.append((*args, kwargs['avg_factor'])), with_kwargs=True)
    torch.manual_seed(1)
    expected, own = own_losses(detector, images, data_samples), dict(notes)
    handle.remove()
    reader = reader_of(detector)
    reading, = reader.read(Batch(detector.extract_feat(images), data_samples, images))
    torch.manual_seed(1)
    terms = values(reader.losses(reading).terms)
    for (name, (logits, rois, labels, weights)), weight in zip(own.items(), (1, 0.5, 0.25)):
        on_crowd = torch.tensor([
            int(image) in crowds and overlap(box, crowds[int(image)]) >= 0.5
            for image, box in zip(rois[:, 0], rois[:, 1:])])
        ignored = on_crowd & (labels == 5)
        assert ignored.any() and (on_crowd & ~ignored).any()
        each = cross_entropy(logits, labels, reduction='none') * ~ignored
        expected[f'{name}loss_cls'] = weight * each.sum() / len(weights)
    assert own_rpn_loss(of_rpn, {}, detector) == pytest.approx(
        expected['loss_rpn_cls'].item(), rel=1e-5)
    expected['loss_rpn_cls'] = torch.tensor(own_rpn_loss(of_rpn, crowds, detector))
    assert terms == pytest.approx(values(expected), rel=1e-5)


def own_rpn_loss(calls, crowds, detector):
    """Binary cross-entropy of the anchors that are not background on a crowd; 0 is an object."""
    total, sizes = 0, [len(call[0]) // 3 for call in calls]  # of three images
    anchors = detector.rpn_head.prior_generator.grid_priors(
        [(64 // s, 64 // s) for s in (4, 8, 16, 32, 64)], device='cpu')
    for (logits, labels, weights, average), boxes, size in zip(calls, anchors, sizes):
        for image in range(3):
            rows = slice(image * size, (image + 1) * size)
            on_crowd = torch.tensor([
                image in crowds and overlap(box, crowds[image]) >= 0.5 for box in boxes])
            counted = weights[rows] * ~(on_crowd & (labels[rows] == 1))
            each = binary_cross_entropy_with_logits(
                logits[rows, 0], (labels[rows] == 0).float(), reduction='none')
            total += ((each * counted).sum() / average).item()
    return total


@of_all
def test_the_sink_is_a_class_more_that_has_no_boxes_of_its_own(family, pair):
    """Against MMDet's detector of six classes, with the sink's rows."""
    detector, row = build(family), torch.randn(32)
    images, data_samples = pair[0]['forget'], pair[1]['forget']
    for sample in data_samples:
        sample.gt_instances.labels[:] = 5
    larger = MODELS.build(small(FAMILIES[family], classes=6)).train()
    state = detector.state_dict()
    for key, own in larger.state_dict().items():
        if key.endswith('fc_cls.weight'):
            state[key] = torch.cat([state[key][:5], row[None], state[key][5:]])
        elif key.endswith('fc_cls.bias'):
            state[key] = torch.cat([state[key][:5], torch.tensor([-math.log(99)]), state[key][5:]])
        elif state[key].shape != own.shape:
            state[key] = torch.cat([state[key], torch.zeros(len(own) - len(state[key]),
                                                            *own.shape[1:])])
    larger.load_state_dict(state)
    torch.manual_seed(1)
    expected = own_losses(larger, images, data_samples)
    reader = reader_of(detector)
    reading, = reader.read(Batch(detector.extract_feat(images), data_samples, images))
    torch.manual_seed(1)
    terms, matched = reader.losses(reading, sink=row)
    assert values(terms) == pytest.approx(values(expected), rel=1e-5)
    assert all((found.labels == 5).all() and len(found.labels) for found in matched.values())
    for sample in data_samples:
        sample.gt_instances.labels[:] = 4
    torch.manual_seed(1)
    expected = own_losses(detector, images, data_samples)
    torch.manual_seed(1)
    assert values(reader.losses(reading).terms) == values(expected)  # nothing is left of it


@of_families
@torch.no_grad()
def test_lora_starts_equal_and_merges(family, pair):
    plain = build(family)
    detector = copy.deepcopy(plain).requires_grad_(False)
    inject_lora(detector, 2)
    batch = join(*batches(plain, pair))
    places = quiet_reading(plain, batch).places
    expected = quiet_reading(plain.requires_grad_(False), batch, places)
    found = quiet_reading(detector, batch, places)
    assert torch.equal(found.logits, expected.logits)
    assert torch.equal(found.boxes, expected.boxes)
    for group in lora_groups(detector):
        for layer in group.layers.values():
            torch.nn.init.normal_(layer.lora_B)
    moved = quiet_reading(detector, batch, places)
    assert (moved.logits - expected.logits).abs().max() > 0.1
    merge_lora(detector)
    plain.load_state_dict(plain_state_dict(detector))
    merged = quiet_reading(plain, batch, places)
    assert torch.allclose(merged.logits, moved.logits, atol=1e-5 * moved.logits.abs().max())


@pytest.fixture(scope='module')
def weights(tmp_path_factory):
    """Checkpoints by family."""
    folder = tmp_path_factory.mktemp('roi')
    for family in [*FAMILIES][:3]:
        save_weights(build(family).state_dict(), folder / f'{family}.pth', {})
    return folder


@pytest.fixture
def unlearning(weights):
    def make(family, **method):
        torch.manual_seed(0)
        if 'LoRA' in method['type'] or method['type'] == 'LinearErasure':
            method.setdefault('rank', 2)
        return MODELS.build(dict(
            type='UnlearningDetector', detector=small(FAMILIES[family]),
            weights=str(weights / f'{family}.pth'),
            method=dict(classes=CLASSES, split=SPLIT, **method))).train()
    return make


def images(branch, number):
    """A buffer of two images, as the sequence hands it to methods."""
    torch.manual_seed(3)
    labels = dict(forget=[[4], [4, 4]], retain=[[0, 1], []])[branch]
    return zip(torch.randn(2, 3, 64, 64), labelled(labels))


@of_families
@torch.no_grad()
def test_head_mask_silences_its_class_alone(family, pair, unlearning):
    model = unlearning(family, type='HeadMask').eval()
    batch, detector = join(*batches(model.detector, pair)), model.detector
    detector.roi_head.test_cfg.score_thr = 0.01 + 1e-6

    def shown():
        found = detector.predict(batch.images, batch.data_samples, rescale=False)
        return set(torch.cat([s.pred_instances.labels for s in found]).tolist())

    before, = model.reader.read(batch)
    assert 4 in shown()
    model.method.before_task(detector, images)
    after, = model.reader.read(batch, places=before.places)
    p, q = before.logits.double().softmax(-1), after.logits.double().softmax(-1)
    assert torch.allclose(q[..., 4] / q[..., 5], torch.tensor(1 / 99).double())
    others = [0, 1, 2, 3, 5]
    p, q = (x[..., others] / x[..., others].sum(-1, keepdim=True) for x in (p, q))
    assert torch.allclose(p, q, atol=1e-6)
    assert shown() and 4 not in shown()


def step(model, pair):
    """A training step; gives the names of what it changed."""
    model.method.before_task(model.detector, images)
    before = copy.deepcopy(model.detector.state_dict())
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=1e-3)
    losses = model.train().loss(*pair)
    assert all(value.isfinite().all() for value in losses.values())
    sum(value for name, value in losses.items() if 'loss' in name).backward()
    optimizer.step()
    model.method.after_step(model.detector, 1e-3, 1.0)
    return {name for name, value in model.detector.state_dict().items()
            if not torch.equal(value, before[name])}


@of_families
@pytest.mark.parametrize('name', [n for n in METHODS.module_dict if METHODS.get(n).trains])
def test_every_method_takes_a_step(family, name, pair, unlearning):
    options = dict(distill=1.0, hold=1.0) if 'LoRA' in name else {}
    model = unlearning(family, type=name, **options)
    trains = {n for n, p in model.detector.named_parameters() if p.requires_grad}
    changed = step(model, pair)
    assert changed and changed <= trains


@of_families
@pytest.mark.parametrize('relabel', ['background', 'random', 'sink'])
def test_forgotten_objects_can_have_another_label(family, relabel, pair, unlearning):
    model = unlearning(family, type='LwF', relabel=relabel)
    assert step(model, pair)


def test_teachers_of_moving_places_cannot_be_remembered(unlearning):
    with pytest.raises(ValueError, match='cache_teachers does not go with a two-stage'):
        unlearning('faster', type='LwF', cache_teachers=True)


def test_methods_that_edit_a_decoder_are_refused(unlearning):
    with pytest.raises(ValueError, match='DAMP edits the FFNs .*, and FasterRCNN has none'):
        unlearning('faster', type='DAMP')


@pytest.mark.parametrize('name, change, message', [
    ('htc/htc_r50_fpn_1x_coco', {}, 'a StandardRoIHead or CascadeRoIHead, no subclass'),
    ('sparse_rcnn/sparse-rcnn_r50_fpn_1x_coco', {}, 'a StandardRoIHead or CascadeRoIHead'),
    ('rpn/rpn_r50_fpn_1x_coco', {}, r'an RPN and a RoI head \(TwoStageDetector\)'),
    (FAMILIES['faster'], dict(cls_predictor_cfg=dict(type='NormedLinear')),
     'a class layer that is linear'),
    (FAMILIES['faster'], dict(loss_cls=dict(use_sigmoid=True)), 'a softmax over')])
def test_detectors_that_do_not_fit_are_refused(name, change, message):
    cfg = copy.deepcopy(own_config(name))
    cfg.backbone.update(depth=18, base_channels=8, init_cfg=None)
    cfg.neck.in_channels = [8, 16, 32, 64]
    if change:
        cfg.roi_head.bbox_head.update(fc_out_channels=32, **change)
    with pytest.raises(ValueError, match=f'RoIReader misses {message}') as error:
        reader_of(MODELS.build(cfg))
    assert '\n' not in str(error.value)


def test_a_detector_of_ones_own_keeps_its_loss(pair):
    """And its backbone is not run again."""
    detector, calls = build('faster'), []
    kind = type(detector)

    class Mine(kind):
        def loss(self, images, data_samples):
            more = self.extract_feat(images)[0].mean()
            return dict(super().loss(images, data_samples), loss_more=more)

    detector.__class__ = Mine
    batch = batches(detector, pair)[0]
    detector.backbone.register_forward_hook(lambda *_: calls.append(1))
    reader = RoIReader(detector)
    terms = reader.losses(reader.read(batch)[0]).terms
    assert terms['loss_more'].item() == batch.features[0].mean().item() and not calls
    assert terms['loss_cls'].item() > 0
