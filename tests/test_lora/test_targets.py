"""What is adapted in MMDet's own detectors, small."""

import copy

import pytest
import torch
from mmengine.hub import get_config
from support import samples
from torch import nn

import gslora_det  # noqa: F401

# isort: split
from mmdet.registry import MODELS

from gslora_det.lora import (
    LoRAConv2d,
    inject_lora,
    lora_state,
    merge_lora,
    plain_state_dict,
)

FPN = [f'neck.lateral_convs.{i}' for i in range(3)] + [f'neck.fpn_convs.{i}' for i in range(5)]
TOWERS = [f'bbox_head.{branch}_convs.{i}' for branch in ('cls', 'reg') for i in range(4)]
PAFPN = [f'neck.{part}.{i}' for part, number in (
    ('reduce_layers', 2), ('top_down_blocks', 2), ('downsamples', 2), ('bottom_up_blocks', 2),
    ('out_convs', 3)) for i in range(number)]
# RTMDet's levels share their convolutions: one group a convolution, by its first name.
SHARED = [f'bbox_head.{branch}_convs.0.{i}' for branch in ('cls', 'reg') for i in range(2)]
LEVELS = [f'bbox_head.multi_level_{branch}_convs.{i}' for branch in ('cls', 'reg')
          for i in range(3)]
FCS = [f'shared_fcs.{i}' for i in range(2)]

# Swin's blocks by stage, as its config has them.
BLOCKS = [f'backbone.stages.{stage}.blocks.{i}' for stage, depth in enumerate((2, 2, 6, 2))
          for i in range(depth)]
FFNS = ['backbone.stages.*.blocks.*.ffn.layers.*']

FAMILIES = {
    'retinanet/retinanet_r18_fpn_1x_coco': FPN + TOWERS,
    'fcos/fcos_r50-caffe_fpn_gn-head_1x_coco': FPN + TOWERS,
    'gfl/gfl_r50_fpn_1x_coco': FPN + TOWERS,
    'rtmdet/rtmdet_tiny_8xb32-300e_coco': PAFPN + SHARED,
    'yolox/yolox_tiny_8xb8-300e_coco': PAFPN + LEVELS,
    'faster_rcnn/faster-rcnn_r50_fpn_1x_coco': [f'roi_head.bbox_head.{fc}' for fc in FCS],
    'cascade_rcnn/cascade-rcnn_r50_fpn_1x_coco': [
        f'roi_head.bbox_head.{head}.{fc}' for head in range(3) for fc in FCS],
    'sparse_rcnn/sparse-rcnn_r50_fpn_1x_coco': [f'roi_head.bbox_head.{i}' for i in range(6)],
    'swin/retinanet_swin-t-p4-w7_fpn_1x_coco': FPN + TOWERS,
}


def small(name):
    """One of MMDet's own detectors, with random weights and frozen."""
    cfg = get_config(f'mmdet::{name}.py').model
    cfg.backbone.init_cfg = None
    if cfg.backbone.get('depth') == 50:
        cfg.backbone.update(depth=18, dcn=None)
        cfg.neck.in_channels = [64, 128, 256, 512]
    elif cfg.backbone.type == 'SwinTransformer':
        cfg.backbone.embed_dims, cfg.neck.in_channels = 24, [48, 96, 192]
    torch.manual_seed(0)
    return MODELS.build(cfg).eval().requires_grad_(False)


def leaves(outputs):
    """All tensors of nested outputs."""
    if isinstance(outputs, torch.Tensor):
        return [outputs]
    nested = outputs.values() if isinstance(outputs, dict) else outputs
    return [leaf for part in nested for leaf in leaves(part)]


def said(detector):
    images = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    return leaves(detector(images, samples([[0]]), mode='tensor'))


def assert_equal(found, expected, within=0.0):
    """Up to a part of the largest value: boxes of random weights have hundreds of pixels."""
    assert len(found) == len(expected) > 0
    for one, other in zip(found, expected):
        atol = within * max(1.0, other.abs().max().item())
        torch.testing.assert_close(one, other, atol=atol, rtol=0)


@pytest.mark.parametrize('name, targets, groups', [
    *((name, None, groups) for name, groups in FAMILIES.items()),
    ('swin/retinanet_swin-t-p4-w7_fpn_1x_coco', FFNS, BLOCKS)])
def test_updates_of_a_family_start_at_nothing_and_merge(name, targets, groups):
    detector = small(name)
    keys, expected = set(detector.state_dict()), said(detector)
    plain = copy.deepcopy(detector)
    found = inject_lora(detector, 2, targets)
    assert [group.name for group in found] == groups
    assert_equal(said(detector), expected)

    trainable = {n for n, p in detector.named_parameters() if p.requires_grad}
    assert trainable == set(lora_state(detector))
    for group in found:
        for layer in group.layers.values():
            nn.init.normal_(layer.lora_B, std=0.02)
    expected = [leaf.detach() for leaf in said(detector)]
    assert any((a - b).abs().max() > 1e-4 for a, b in zip(expected, said(plain)))
    merge_lora(detector)
    assert_equal(said(detector), expected, within=1e-5)

    state = plain_state_dict(detector)
    assert set(state) == keys
    plain.load_state_dict(state)
    assert_equal(said(plain), said(detector))


def adapted(name):
    return [layer for group in inject_lora(small(name), 2) for layer in group.layers]


@pytest.mark.parametrize('name', FAMILIES)
def test_default_targets_leave_out_what_predicts_and_the_backbone(name):
    predicts = ('retina_', 'conv_cls', 'conv_reg', 'conv_obj', 'conv_centerness', 'gfl_', 'rtm_',
                'fc_cls', 'fc_reg', 'rpn_head', 'backbone')
    assert not [layer for layer in adapted(name) if any(word in layer for word in predicts)]


def test_depthwise_and_deformable_convolutions_are_left_out():
    names = adapted('yolox/yolox_nano_8xb8-300e_coco')
    assert 'bbox_head.multi_level_cls_convs.0.0.pointwise_conv.conv' in names
    assert not [name for name in names if 'depthwise_conv' in name]
    names = adapted('fcos/fcos_r50-dcn-caffe_fpn_gn-head-center-normbbox-centeronreg-giou'
                    '_1x_coco')
    assert 'bbox_head.cls_convs.2.conv' in names
    assert not [name for name in names if name.startswith('bbox_head.cls_convs.3')]


def test_levels_go_on_sharing_their_convolutions():
    detector = small('rtmdet/rtmdet_tiny_8xb32-300e_coco')
    inject_lora(detector, 2)
    for levels in (detector.bbox_head.cls_convs, detector.bbox_head.reg_convs):
        for i in range(2):
            (shared,) = {level[i].conv for level in levels}
            assert isinstance(shared, LoRAConv2d)


@pytest.mark.parametrize('name', FAMILIES)
def test_every_update_is_reached_by_a_gradient(name):
    detector = small(name)
    inject_lora(detector, 2)
    sum(leaf.square().sum() for leaf in said(detector)).backward()
    assert all(p.grad.any() for n, p in detector.named_parameters() if n.endswith('lora_B'))
