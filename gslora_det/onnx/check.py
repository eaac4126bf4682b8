"""How far an ONNX file's detections are from MMDet's."""

from collections.abc import Callable, Sequence

import numpy as np
import onnxruntime
import torch
from torch import Tensor, nn

from gslora_det.evaluation import Detections
from gslora_det.onnx.graph import sample_of
from gslora_det.options import in_one_line


def in_onnxruntime(content: bytes) -> Callable[[Tensor], Detections]:
    """A file on the CPU: a function from pixels (1, 3, H, W) to detections."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # its errors are raised, too
    session = onnxruntime.InferenceSession(content, options, ['CPUExecutionProvider'])

    def run(image: Tensor) -> Detections:
        return Detections(*session.run(None, {'image': image.numpy()}))

    return run


@torch.no_grad()
def mmdet_detections(detector: nn.Module, image: Tensor) -> Detections:
    """What MMDet's own ``test_step`` finds in pixels (1, 3, H, W)."""
    sample, = detector.test_step(dict(
        inputs=[image[0]], data_samples=[sample_of(tuple(image.shape[2:]))]))
    return Detections.of(sample.pred_instances)


def largest_difference(content: bytes, detector: nn.Module, images: Sequence[Tensor]) -> float:
    """The largest difference between a file's detections and a detector's, over images.

    Args:
        content (bytes): The ONNX file.
        detector (BaseDetector): The detector that it was made of.
        images (list[Tensor]): Pixels, each of shape (1, 3, H, W).

    Returns:
        float: In pixels of boxes or in scores, whichever is larger; see :func:`difference`.

    Raises:
        ValueError: onnxruntime cannot run the file.
    """
    settings = detector.test_cfg or {}
    settings = settings.get('rcnn', settings)
    limits = settings.get('max_per_img', np.inf), settings.get('score_thr', 0)
    try:
        run = in_onnxruntime(content)
        found = [run(image) for image in images]
        run(torch.zeros_like(images[0]))  # where nothing is found, it has to run
    except Exception as error:  # onnxruntime's have no common base
        raise ValueError(f'{type(detector).__name__} cannot be exported to ONNX, for onnxruntime '
                         f'cannot run it: {in_one_line(error)}') from error
    return np.max([difference(each, mmdet_detections(detector, image), *limits)
                   for each, image in zip(found, images)])


def difference(one: Detections, other: Detections, most: float, score_thr: float) -> float:
    """The largest difference between two sets of detections of one image, whatever their order.

    A detection differs from the nearest of its class in the other set by the largest difference
    of a coordinate or of their scores. Where that set has none, it differs by how far its score
    lies above what may be kept there: equal scores at the end of a full list, or scores at the
    threshold, fall to either side.

    Args:
        one (Detections): Of one detector.
        other (Detections): Of the other.
        most (float): How many detections of an image a detector keeps.
        score_thr (float): The score above which it keeps them.
    """
    return np.max([_lacking(*pair, most, score_thr) for pair in ((one, other), (other, one))])


def _lacking(one: Detections, other: Detections, most: float, score_thr: float) -> float:
    least = other.scores.min() if len(other.scores) >= most else score_thr
    gaps = np.concatenate([np.abs(one.bboxes[:, None] - other.bboxes),
                           np.abs(one.scores[:, None] - other.scores)[..., None]], 2).max(2)
    gaps[one.labels[:, None] != other.labels] = np.inf
    nearest = gaps.min(1, initial=np.inf)
    return np.minimum(nearest, one.scores - least).max(initial=0)
