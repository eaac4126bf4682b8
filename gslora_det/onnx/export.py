"""Writing a detector as ONNX, and comparing the file with MMDet before it is kept."""

import json
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import torch.nn.functional as F
from mmengine.config import Config
from torch import Tensor

from gslora_det.engine.predict import validation_set
from gslora_det.files import check_new, write_file
from gslora_det.onnx.graph import graph_of
from gslora_det.quiet import quiet
from gslora_det.weights.export import merged

TOLERANCE = 1e-3  # in pixels and in scores
IMAGES = 4  # of the validation data, on which a file is compared with MMDet


def check_packages() -> None:
    """Refuses to begin without the packages that ONNX files need.

    Raises:
        ValueError: One is missing; the line says what to install.
    """
    missing = [name for name in ('onnx', 'onnxruntime') if find_spec(name) is None]
    if missing:
        raise ValueError(f'ONNX export needs {" and ".join(missing)}: pip install onnx '
                         'onnxruntime')


def export_onnx(cfg: Config, weights: str, out: str, adapters: Sequence[str] = (),
                shape: tuple[int, int] | None = None) -> float:
    """Writes a detector as ONNX, with adapters folded in and MMDet's ``predict`` inside.

    Args:
        cfg (Config): Names the detector (``model``) and images (``val_dataloader``).
        weights (str): Weights of the plain detector.
        out (str): The ``.onnx`` file to write; none may be there.
        adapters (list[str]): Adapters to fold in, in the order of their tasks.
        shape (tuple[int, int], optional): Height and width of the images that the file takes; by
            default those of the first validation image after its pipeline.

    Returns:
        float: The largest difference of a box's coordinate (pixels) or of a score between the
        file in onnxruntime and MMDet, over a few validation images.

    Raises:
        ValueError: A package is missing, the file exists, ONNX cannot express the detector, or
            the difference is above :data:`TOLERANCE`; nothing is written.
        CheckpointError: The weights or an adapter do not fit.
    """
    check_packages()
    from gslora_det.onnx.check import largest_difference

    check_new(out)
    if shape and min(shape) < 1:
        raise ValueError(f'--shape is {shape[0]} {shape[1]}: set a height and a width from 1 on')
    with quiet():
        detector, meta = merged(cfg, weights, adapters)
    detector.eval()
    if hasattr(detector, 'roi_head'):
        detector.roi_head.mask_head = None  # boxes alone
    images = _images(cfg, shape)
    content = _described(graph_of(detector, images[0]), meta)
    found = largest_difference(content, detector, images)
    if not found <= TOLERANCE:
        raise ValueError(
            f'{type(detector).__name__} cannot be exported to ONNX: in onnxruntime it differs '
            f'from MMDetection by {found:.2g}, more than {TOLERANCE}; {out} is not written')
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    write_file(out, content)
    return found


def _images(cfg: Config, shape: tuple[int, int] | None) -> list[Tensor]:
    """Pixels of the first validation images, each (1, 3, H, W)."""
    with quiet():
        dataset, _ = validation_set(cfg)
        found = [dataset[i]['inputs'][None].float() for i in range(min(IMAGES, len(dataset)))]
    shape = tuple(shape or found[0].shape[2:])
    # Where a pipeline keeps the ratio of sides, every image has a size of its own.
    return [F.interpolate(image, shape).contiguous() for image in found]


def _described(content: bytes, meta: dict) -> bytes:
    """An ONNX file with what a checkpoint says of its classes as JSON in its metadata."""
    import onnx

    model = onnx.load_model_from_string(content)
    facts = dict(classes=meta['dataset_meta']['classes'],
                 **{key: meta.get(key, []) for key in ('forgotten', 'old')})
    onnx.helper.set_model_props(
        model, {key: json.dumps(value, ensure_ascii=False) for key, value in facts.items()})
    return model.SerializeToString()
