"""Graphs in onnxruntime, against MMDet's own ``test_step``."""

import pytest
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.hub import get_config
from test_readers import test_dense, test_detr, test_roi

from gslora_det.quiet import hushed_logs
from gslora_det.weights import load_weights

pytest.importorskip('onnx', reason='onnx is not installed: pip install -e ".[onnx]"')
pytest.importorskip('onnxruntime', reason='onnxruntime is not installed: pip install -e ".[onnx]"')

from gslora_det.onnx.check import in_onnxruntime, largest_difference  # noqa: E402
from gslora_det.onnx.graph import graph_of  # noqa: E402

DENSE = ('RetinaNet', 'FCOS', 'ATSS', 'GFL', 'RTMDet', 'YOLOX')
TWO_STAGES = ('faster', 'mask', 'cascade')


def pictures(count, height=96, width=128):
    """Random pixels, each of shape (1, 3, height, width)."""
    return [torch.rand(1, 3, height, width) * 255 for _ in range(count)]


def built(cfg):
    with hushed_logs():
        detector = MODELS.build(cfg)
        detector.init_weights()
    return detector.eval()


def detr(name):
    cfg = test_detr.config(name)
    cfg.test_cfg.max_per_img = 12  # as many as queries
    detector = built(cfg)
    for parameter in detector.bbox_head.parameters():
        parameter.data += 0.03 * torch.randn_like(parameter)
    return detector


def dense(name):
    detector = built(test_dense.config(name))
    for name, parameter in detector.bbox_head.named_parameters():
        if parameter.dim() > 1:
            parameter.data += 0.003 * torch.randn_like(parameter)
            if 'reg.' in name or 'multi_level_conv' in name:
                parameter.data *= 0.03  # boxes are exponentials of it; YOLOX starts it large
        else:
            parameter.data.clamp_(min=-2)  # or no score is above the threshold
    for module in detector.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0
    images = [image[0] for image in pictures(4, 128)]
    with torch.no_grad():  # norms learn what they see here, or deep features are nearly constant
        detector.train()._forward(detector.data_preprocessor(dict(inputs=images))['inputs'])
    return detector.eval()


def two_stages(name):
    detector = test_roi.build(name).eval()
    detector.roi_head.mask_head = None
    return detector


FAMILIES = {**{name: detr for name in test_detr.NAMES}, **{name: dense for name in DENSE},
            **{name: two_stages for name in TWO_STAGES}}


def mmdet_finds(detector, image):
    sample = DetDataSample(metainfo=dict(
        img_shape=image.shape[2:], ori_shape=image.shape[2:], scale_factor=(1.0, 1.0)))
    with torch.no_grad():
        found, = detector.test_step(dict(inputs=[image[0]], data_samples=[sample]))
    return found.pred_instances


def test_a_deformable_detr_finds_the_same(tiny_config, tiny_weights):
    detector = MODELS.build(tiny_config).eval()
    load_weights(detector, tiny_weights)
    traced_with, image = pictures(2)
    found = in_onnxruntime(graph_of(detector, traced_with))(image)
    expected = mmdet_finds(detector, image)
    assert found.bboxes.shape == (20, 4) and found.labels.tolist() == expected.labels.tolist()
    assert torch.tensor(found.scores) == pytest.approx(expected.scores, abs=1e-3)
    assert torch.tensor(found.bboxes) == pytest.approx(expected.bboxes, abs=1e-3)
    # Not the same for every image.
    assert abs(expected.scores - mmdet_finds(detector, traced_with).scores).max() > 1e-3


@pytest.mark.parametrize('family', FAMILIES)
def test_every_family_finds_the_same(family):
    """On other images than the one of the trace, where nothing may be found."""
    detector = FAMILIES[family](family)
    images = pictures(3)
    assert min(len(mmdet_finds(detector, image)) for image in images) > 10
    assert largest_difference(graph_of(detector, torch.zeros_like(images[0])), detector,
                              images) < 1e-3


@pytest.mark.parametrize('family', ['deformable', 'RetinaNet', 'faster'])
def test_images_are_padded_within_the_graph(family):
    detector = FAMILIES[family](family)
    detector.data_preprocessor.pad_size_divisor = 32
    traced_with, image = pictures(2, 90, 70)
    assert largest_difference(graph_of(detector, traced_with), detector, [image]) < 1e-3


@pytest.mark.parametrize('family', ['RetinaNet', 'YOLOX', 'faster'])
def test_nothing_is_found_where_mmdet_finds_nothing(family):
    detector = FAMILIES[family](family)
    for settings in (detector.test_cfg.get('rcnn', detector.test_cfg),
                     (detector.roi_head if family == 'faster' else detector.bbox_head).test_cfg):
        settings.score_thr = 0.9999
    image, = pictures(1)
    found = in_onnxruntime(graph_of(detector, image))(image)
    assert len(mmdet_finds(detector, image)) == 0
    assert [field.shape for field in found] == [(0, 4), (0, ), (0, )]


def test_a_detector_that_follows_what_it_finds_is_refused():
    """PAA votes for boxes class by class, for the classes that it finds."""
    cfg = get_config('mmdet::paa/paa_r50_fpn_1x_coco.py').model
    cfg.backbone.update(depth=18, base_channels=8, init_cfg=None)
    cfg.neck.in_channels = [8, 16, 32, 64]
    cfg.bbox_head.num_classes = 5
    cfg.test_cfg.nms_pre = 20
    detector, images = built(cfg), pictures(2)
    detector.bbox_head.atss_cls.bias.data += 4
    with pytest.raises(ValueError, match='^PAA cannot be exported to ONNX') as error:
        content = graph_of(detector, images[0])
        assert largest_difference(content, detector, images) < 1e-3
    assert '\n' not in str(error.value)


class Foreign(torch.autograd.Function):

    @staticmethod
    def forward(ctx, image):
        return image * 2


def test_an_operator_that_onnx_lacks_is_named(tiny_config):
    detector = MODELS.build(tiny_config).eval()
    detector.backbone.register_forward_pre_hook(lambda _, args: (Foreign.apply(args[0]), ))
    with pytest.raises(ValueError, match='^DeformableDETR cannot be exported to ONNX: it has no '
                                         'operator for Foreign$'):
        graph_of(detector, *pictures(1))
