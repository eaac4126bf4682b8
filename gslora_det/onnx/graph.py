"""MMDet's ``predict`` as one ONNX graph."""

import copy
import io
import warnings

import torch
from mmdet.structures import DetDataSample
from torch import Tensor, nn

from gslora_det.onnx.operators import OPSET, traceable
from gslora_det.options import in_one_line
from gslora_det.quiet import hushed_logs, quiet

OUTPUTS = ['boxes', 'scores', 'labels']


def sample_of(shape: tuple[int, int]) -> DetDataSample:
    """What a test pipeline says of an image that it leaves at its size (H, W)."""
    return DetDataSample(metainfo=dict(
        img_shape=shape, ori_shape=shape, scale_factor=(1.0, 1.0)))


class Predict(nn.Module):
    """A detector's own ``predict`` of one image of one size, as a function of its pixels.

    Args:
        detector (BaseDetector): A plain MMDet detector.
        shape (tuple[int, int]): Height and width of the image.
    """

    def __init__(self, detector: nn.Module, shape: tuple[int, int]) -> None:
        super().__init__()
        self.detector = detector
        # What the preprocessor says of the padded image, in plain numbers.
        self.sample, = detector.data_preprocessor(dict(
            inputs=[torch.zeros(3, *shape)], data_samples=[sample_of(shape)]))['data_samples']

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Boxes (N, 4) as xyxy in pixels, scores (N,) and labels (N,) of (1, 3, H, W) pixels."""
        data = self.detector.data_preprocessor(dict(inputs=[image[0]], data_samples=None))
        found, = self.detector.predict(data['inputs'], [copy.deepcopy(self.sample)], rescale=False)
        found = found.pred_instances
        return found.bboxes.reshape(-1, 4), found.scores, found.labels


def graph_of(detector: nn.Module, image: Tensor) -> bytes:
    """A detector's ``predict`` as an ONNX file of standard operators.

    Args:
        detector (BaseDetector): In evaluation mode, on the CPU.
        image (Tensor): Pixels to trace with, shape (1, 3, H, W).

    Raises:
        ValueError: ONNX cannot express the detector; one line says why.
    """
    content = io.BytesIO()
    try:
        with torch.no_grad(), warnings.catch_warnings(), hushed_logs(), quiet():
            warnings.simplefilter('ignore')
            model = Predict(detector, tuple(image.shape[2:])).eval()
            with traceable():
                traced = torch.jit.trace(model, (image, ), check_trace=False)
            graph = traced.inlined_graph  # which its nodes do not keep alive
            foreign = {node.pyname() for node in graph.findAllNodes('prim::PythonOp')}
            if foreign:
                raise ValueError(f'it has no operator for {", ".join(sorted(foreign))}')
            # The exporter without dynamo: the other one follows no branch on what is found.
            torch.onnx.export(traced, (image, ), content, opset_version=OPSET, dynamo=False,
                              input_names=['image'], output_names=OUTPUTS,
                              dynamic_axes={name: {0: 'detections'} for name in OUTPUTS})
    except Exception as error:  # of MMDet under the tracer, and of the exporter: of many kinds
        raise ValueError(f'{type(detector).__name__} cannot be exported to ONNX: '
                         f'{in_one_line(error)}') from error
    return content.getvalue()
