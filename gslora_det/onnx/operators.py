"""mmcv's operators that ONNX knows by another name, and Python's branches in a trace."""

import contextlib
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any
from unittest import mock

import mmcv.ops  # noqa: F401  (loads the modules that are looked up below)
import torch
from mmdet.models.utils import misc
from torch import Tensor
from torch.onnx import register_custom_op_symbolic, symbolic_helper
from torch.overrides import TorchFunctionMode

OPSET = 17  # the first with LayerNormalization; onnxruntime has it from 1.12 on
_NMS = sys.modules['mmcv.ops.nms']  # mmcv.ops has functions of the same names
_ROI_ALIGN = sys.modules['mmcv.ops.roi_align']
_nms, _roi_align = _NMS.NMSop.apply, _ROI_ALIGN.roi_align


@torch.library.custom_op('gslora_det::nms', mutates_args=())
def nms(boxes: Tensor, scores: Tensor, iou_threshold: float, offset: int,
        score_threshold: float, max_num: int) -> Tensor:
    """mmcv's own, as one node of a trace: indices of the kept boxes, by descending score."""
    return _nms(boxes, scores, iou_threshold, offset, score_threshold, max_num)


@torch.library.custom_op('gslora_det::roi_align', mutates_args=())
def roi_align(features: Tensor, rois: Tensor, output_size: list[int], spatial_scale: float,
              sampling_ratio: int, pool_mode: str, aligned: bool) -> Tensor:
    """mmcv's own, as one node of a trace: (n, channels, height, width)."""
    return _roi_align(features, rois, tuple(output_size), spatial_scale, sampling_ratio,
                      pool_mode, aligned)


def _constant(graph: Any, value: Any) -> Any:
    return graph.op('Constant', value_t=torch.tensor(value))


@symbolic_helper.parse_args('v', 'v', 'f', 'i', 'f', 'i')
def _nms_node(graph, boxes, scores, iou_threshold, offset, score_threshold, max_num):
    if offset:
        raise ValueError("ONNX's NonMaxSuppression knows no offset of a pixel")
    most = max_num if max_num > 0 else 2**31 - 1
    limits = [_constant(graph, [most]), _constant(graph, [iou_threshold])]
    if score_threshold > 0:
        limits.append(_constant(graph, [score_threshold]))
    # One image of one class: (1, n, 4) and (1, 1, n) give rows of image, class, box.
    rows = graph.op('NonMaxSuppression', graph.op('Unsqueeze', boxes, _constant(graph, [0])),
                    graph.op('Unsqueeze', scores, _constant(graph, [0, 1])), *limits)
    return graph.op('Gather', rows, _constant(graph, 2), axis_i=1)


@symbolic_helper.parse_args('v', 'v', 'is', 'f', 'i', 's', 'b')
def _roi_align_node(graph, features, rois, output_size, spatial_scale, sampling_ratio,
                    pool_mode, aligned):
    images = graph.op('Gather', rois, _constant(graph, 0), axis_i=1)
    return graph.op(
        'RoiAlign', features, graph.op('Gather', rois, _constant(graph, [1, 2, 3, 4]), axis_i=1),
        graph.op('Cast', images, to_i=torch.onnx.TensorProtoDataType.INT64),
        output_height_i=output_size[0], output_width_i=output_size[1],
        spatial_scale_f=spatial_scale, sampling_ratio_i=max(0, sampling_ratio),
        mode_s=pool_mode, coordinate_transformation_mode_s=(
            'half_pixel' if aligned else 'output_half_pixel'))


register_custom_op_symbolic('gslora_det::nms', _nms_node, OPSET)
register_custom_op_symbolic('gslora_det::roi_align', _roi_align_node, OPSET)


class _AsForAnyImage(TorchFunctionMode):
    """Answers what MMDet's Python asks of an image's boxes as for any image.

    A trace keeps the one way that Python took. MMDet asks whether there are boxes, and whether
    all are large enough, to spare itself work: the longer way is right for every image.
    """

    def __torch_function__(self, func, types, args=(), kwargs=None):
        alone, option = len(args) == 1 and not kwargs, args[1] if len(args) > 1 else None
        if func is torch.Tensor.numel:
            return max(int(func(*args)), 1)  # there may be some
        if func is torch.Tensor.all and alone:
            return torch.tensor(False)  # some may be too small
        if func is torch.Tensor.max and alone:  # NMS keeps classes apart by it: 0 does for none
            return torch.cat([args[0].flatten(), args[0].new_zeros(1)]).max()
        if func is torch.Tensor.split and isinstance(option, tuple) and len(option) == 1:
            return args[:1]  # the boxes of one image, however many
        if func is torch.Tensor.reshape and len(args) == 3 and args[2] == -1 and option > 0:
            # Of no boxes at all, ONNX could not tell how long a row is.
            return args[0].reshape(option, int(args[0].numel()) // int(option))
        if func is torch.Tensor.squeeze and len(args) == 2 and args[0].shape[option] == 1:
            return args[0].select(option, 0)  # ONNX would ask at run time whether it is one
        return func(*args, **(kwargs or {}))


@contextlib.contextmanager
def traceable() -> Iterator[None]:
    """Within the block, a trace of MMDet's ``predict`` holds for all images of its size."""
    with mock.patch.object(_NMS, 'NMSop', SimpleNamespace(apply=torch.ops.gslora_det.nms)), \
            mock.patch.object(_ROI_ALIGN, 'roi_align', torch.ops.gslora_det.roi_align), \
            mock.patch.object(misc, 'min', lambda most, found: most, create=True), \
            _AsForAnyImage():
        # `filter_scores_and_topk` slices up to the smaller of two; a slice ends by itself.
        yield
