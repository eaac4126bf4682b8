"""DETRs, against MMDet's own losses and targets."""

import copy

import pytest
import torch
from mmengine.hub import get_config
from support import CLASSES, SPLIT, samples

import gslora_det  # noqa: F401

# isort: split
from mmdet.models.detectors import DINO
from mmdet.registry import MODELS

from gslora_det.readers import Batch, reader_of
from gslora_det.registry import METHODS

SOFTMAX = dict(type='CrossEntropyLoss', use_sigmoid=False,
               class_weight=[1.0] * 5 + [0.1])
NAMES = {
    'detr': 'detr/detr_r50_8xb2-150e_coco',
    'conditional': 'conditional_detr/conditional-detr_r50_8xb2-50e_coco',
    'dab': 'dab_detr/dab-detr_r50_8xb2-50e_coco',
    'deformable': 'deformable_detr/deformable-detr-refine_r50_16xb2-50e_coco',
    'deformable softmax': 'deformable_detr/deformable-detr-refine_r50_16xb2-50e_coco',
    'two stages': 'deformable_detr/deformable-detr-refine-twostage_r50_16xb2-50e_coco',
    'dino': 'dino/dino-4scale_r50_8xb2-12e_coco'}


def config(name):
    cfg = get_config(f'mmdet::{NAMES[name]}.py').model
    cfg.backbone.update(depth=18, base_channels=8, init_cfg=None)
    cfg.neck.in_channels = [channels // 32 for channels in cfg.neck.in_channels]
    cfg.encoder.num_layers, cfg.decoder.num_layers, cfg.num_queries = 1, 3, 12
    cfg.bbox_head.num_classes = 5
    if 'softmax' in name:
        cfg.bbox_head.loss_cls = SOFTMAX
        cfg.train_cfg.assigner.match_costs[0] = dict(type='ClassificationCost', weight=1.0)
    return cfg


@pytest.fixture(params=NAMES)
def detector(request):
    """In evaluation mode but for the flag that makes MMDet compute losses as in training."""
    torch.manual_seed(0)
    detector = MODELS.build(config(request.param)).eval()
    detector.init_weights()
    for parameter in detector.bbox_head.parameters():  # MMDet starts what moves boxes at zero
        parameter.data += 0.1 * torch.randn_like(parameter)
    return detector


def batch_of(detector, labels, seed):
    images = torch.randn(len(labels), 3, 64, 64, generator=torch.Generator().manual_seed(seed))
    return Batch(detector.extract_feat(images), samples(labels, seed=seed), images)


@pytest.fixture
def batches(detector):
    return [batch_of(detector, labels, seed)
            for seed, labels in enumerate([[[4], [4, 4]], [[0, 1], [2], []]])]


def mmdet_loss(detector, batch):
    """MMDet's own, of the decoder; denoising queries do not see into the others."""
    detector.training = True
    terms = detector.loss(batch.images, copy.deepcopy(batch.data_samples))
    detector.training = False
    return {name: term for name, term in terms.items() if 'enc_' not in name and 'dn_' not in name}


def values(terms):
    return {name: term.item() for name, term in terms.items()}


def test_losses_are_mmdets_of_all_layers_or_the_last(detector, batches):
    reader = reader_of(detector)
    alone, = reader.read(batches[0])
    for reading, batch in [(alone, batches[0]), *zip(reader.read(*batches), batches)]:
        expected = values(mmdet_loss(detector, batch))
        assert values(reader.losses(reading, aux_losses=True).terms) == pytest.approx(
            expected, rel=1e-4)
        last = {name: term for name, term in expected.items() if not name.startswith('d')}
        assert values(reader.losses(reading).terms) == pytest.approx(last, rel=1e-4)


def test_gradients_are_mmdets(detector, batches):
    reader, batch = reader_of(detector), batches[1]
    weights = [p for n, p in detector.named_parameters() if n.startswith('decoder.layers.0.')]
    reading, = reader.read(batch)
    found = torch.autograd.grad(sum(reader.losses(reading, aux_losses=True).terms.values()),
                                weights, retain_graph=True)
    expected = torch.autograd.grad(sum(mmdet_loss(detector, batch).values()), weights)
    for one, other in zip(found, expected):
        assert torch.allclose(one, other, rtol=1e-3, atol=1e-5 * other.abs().max().item() + 1e-9)


def test_matched_are_the_heads_own_targets(detector, batches):
    reader, batch, head = reader_of(detector), batches[1], detector.bbox_head
    reading, = reader.read(batch)
    logits, boxes, states = reading.outputs
    matched = reader.losses(reading, aux_losses=True).matched
    assert list(matched) == ['', 'd0.', 'd1.']
    for name, layer in (('', 2), ('d0.', 0), ('d1.', 1)):
        labels = torch.stack(head.get_targets(
            list(logits[layer]), list(boxes[layer]),
            [s.gt_instances for s in batch.data_samples],
            [s.metainfo for s in batch.data_samples])[0])
        if layer == 2:
            assert torch.equal(reader.labels(reading), labels)
        found = labels < 5
        assert matched[name].labels.tolist() == labels[found].tolist() and found.sum() == 3
        scores = logits[layer][found].double()
        p = scores.sigmoid() if head.loss_cls.use_sigmoid else scores.softmax(-1)
        p = p.gather(1, labels[found][:, None])[:, 0]
        assert torch.allclose(matched[name].odds.double(), (p / (1 - p)).log(), atol=1e-4)
        assert torch.equal(matched[name].embeddings, states[layer][found])


def test_equal_detectors_say_the_same_at_the_same_places(detector, batches):
    reader, other = reader_of(detector), reader_of(copy.deepcopy(detector))
    reading, = reader.read(batches[0])
    again, = other.read(batches[0], places=reading.places)
    for name in ('logits', 'odds', 'boxes', 'embeddings'):
        assert torch.equal(getattr(reading, name), getattr(again, name))


def test_class_layers_give_the_logits(detector, batches):
    reader = reader_of(detector)
    before, = reader.read(batches[0])
    for layer in reader.class_layers():
        layer.weight.data[reader.rows([3])] = 0
        layer.bias.data[reader.rows([3])] = 7.0
    after, = reader.read(batches[0], places=before.places)
    others = [0, 1, 2, *range(4, before.logits.shape[-1])]
    assert torch.equal(after.logits[..., others], before.logits[..., others])
    assert (after.logits[..., 3] == 7).all()


def test_damp_edits_ffns_and_the_last_class_layer_of_each(detector, batches):
    shown = {branch: list(zip(batch.images, batch.data_samples))
             for branch, batch in zip(('forget', 'retain'), batches)}
    before = copy.deepcopy(detector.state_dict())
    method = METHODS.build(dict(type='DAMP', scaling='uniform', classes=CLASSES, split=SPLIT))
    method.prepare(detector, None)
    method.before_task(detector, lambda branch, number: shown[branch])
    changed = {name for name, value in detector.state_dict().items()
               if not torch.equal(value, before[name])}
    ffns = {f'decoder.layers.{layer}.ffn.layers.{part}.weight'
            for layer in range(3) for part in ('0.0', '1')}
    assert len(changed) == 7 and ffns < changed
    assert changed - ffns <= {'bbox_head.fc_cls.weight', 'bbox_head.cls_branches.2.weight'}


def test_linear_erasure_starts_near_the_map_in_each(detector, batches):
    shown = {branch: list(zip(batch.images, batch.data_samples))
             for branch, batch in zip(('forget', 'retain'), batches)}
    method = METHODS.build(dict(type='LinearErasure', classes=CLASSES, split=SPLIT))
    method.prepare(detector, lambda: copy.deepcopy(detector))
    reader = reader_of(detector)
    before, = reader.read(batches[0])
    method.before_task(detector, lambda branch, number: shown[branch])
    after, = reader.read(batches[0], places=before.places)
    found = reader.labels(before) < 5
    target = method.map(before.embeddings)[found]
    near, far = ((each.embeddings[found] - target).norm() for each in (after, before))
    assert near < 0.5 * far


class OwnProposals(DINO):

    def pre_decoder(self, *args, **kwargs):
        return super().pre_decoder(*args, **kwargs)


def test_what_makes_proposals_or_losses_of_its_own_is_refused():
    detector = MODELS.build(config('dino'))
    detector.__class__ = OwnProposals
    with pytest.raises(ValueError, match=r'DETRReader misses proposals as .* \(its own pre_dec'):
        reader_of(detector)
    detector = MODELS.build(config('detr'))
    head = type(detector.bbox_head)
    detector.bbox_head.__class__ = type('OwnHead', (head, ), dict(loss_by_feat=lambda self: None))
    with pytest.raises(ValueError, match=r'DETRReader misses the loss of .* \(its own loss_by'):
        reader_of(detector)
