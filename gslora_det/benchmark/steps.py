"""Training steps, the way of the authors' code and ours, on random images."""

import copy
from collections.abc import Callable
from functools import partial
from itertools import cycle

import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.structures import InstanceData
from torch import Tensor, nn

from gslora_det.benchmark.timing import Pair
from gslora_det.config_file import read_config
from gslora_det.lora import inject_lora
from gslora_det.losses import bounded_forget_loss
from gslora_det.quiet import hushed_logs
from gslora_det.weights import read_weights

GLYPH80 = 'gslora_det::glyph80/ddetr_forget_80-10x7_linear.py'
COCO, COCO_LINEAR = (f'gslora_det::{name}.py' for name in (
    'ddetr_forget_80-10x7', 'methods/linear-erasure'))
_CLASSES = [str(number) for number in range(80)]
_OBJECTS = 4  # an image
_BATCHES = 4  # that are looked at again and again
_NO_DROPOUT = {  # what is frozen always makes the same of an image then
    'model.encoder.layer_cfg.self_attn_cfg.dropout': 0.0,
    'model.encoder.layer_cfg.ffn_cfg.ffn_drop': 0.0,
    'model.decoder.layer_cfg.self_attn_cfg.dropout': 0.0,
    'model.decoder.layer_cfg.cross_attn_cfg.dropout': 0.0,
    'model.decoder.layer_cfg.ffn_cfg.ffn_drop': 0.0}


def reference_step(config: str, size: tuple[int, int], images: int) -> Callable[[], None]:
    """A step as the authors' code takes it.

    One pass a branch, with MMDet's own loss: all decoder layers are matched. LoRA is in every
    FFN, so gradients go back to the first layer of the encoder.

    Args:
        config (str): A config of the package.
        size (tuple[int, int]): Height and width of the images.
        images (int): Images of each branch.
    """
    cfg = _config(config)
    detector = detector_of(cfg).train().requires_grad_(False)
    inject_lora(detector, 8, lora_alpha=1)
    trained = [p for p in detector.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=3e-4, weight_decay=1e-4)
    batches = cycle(paired_batches(size, images, 10))

    def step() -> None:
        inputs, samples = next(batches)
        retain, forget = (detector.loss(inputs[branch], samples[branch])
                          for branch in ('retain', 'forget'))
        total = sum(retain.values()) + 0.15 * sum(
            bounded_forget_loss(loss, 15.0) if 'loss_cls' in name else loss
            for name, loss in forget.items())
        _update(optimizer, trained, total)

    return step


def our_step(config: str, size: tuple[int, int], images: int, gib: float = 0.0,
             classes: int = 10, bf16: bool = False, **options) -> Callable[[], None]:
    """A step of a config's method.

    Args:
        config (str): A config of the package.
        size (tuple[int, int]): Height and width of the images.
        images (int): Images of each branch.
        gib (float): Memory for what frozen parts make of an image; with none, teachers
            remember nothing, either.
        classes (int): Classes that are erased.
        bf16 (bool): Whether the forward pass is in bfloat16.
        **options: Values in the config, by dotted names.
    """
    cfg = _config(config, **options)
    model = MODELS.build(dict(
        type='UnlearningDetector', detector=cfg.model,
        weights=detector_of(cfg).state_dict(), method=dict(
            cfg.method, cache_teachers=gib > 0, classes=_CLASSES,
            split=dict(retained=_CLASSES[classes:], forgotten=_CLASSES[:classes]))))
    model.train().remember({}, gib * 2**30)
    paired = paired_batches(size, images, classes)

    def shown(branch: str, number: int):
        for inputs, samples in paired:
            yield from zip(inputs[branch], samples[branch])

    model.method.before_task(model.detector, shown)
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-3, weight_decay=1e-4)
    batches = cycle(paired)
    if gib:
        for inputs, samples in paired:  # every image but for the first time
            model.loss(inputs, samples)

    def step() -> None:
        with torch.autocast('cpu', torch.bfloat16, enabled=bf16):
            terms = model.loss(*next(batches))
        _update(optimizer, trained, sum(v for name, v in terms.items() if 'loss' in name))
        model.method.after_step(model.detector, 1e-3, 0.5)

    return step


def detector_of(cfg: Config) -> nn.Module:
    """A config's detector: with its weights where they are a file, else with random ones."""
    detector = MODELS.build(copy.deepcopy(cfg.model))
    if cfg.load_from.startswith('http'):
        with hushed_logs():
            detector.init_weights()
    else:
        detector.load_state_dict(read_weights(cfg.load_from))
    return detector


def paired_batches(size: tuple[int, int], images: int, classes: int
                   ) -> list[tuple[dict[str, Tensor], dict[str, list[DetDataSample]]]]:
    """Random images of both branches, with objects at random places.

    Args:
        size (tuple[int, int]): Height and width.
        images (int): Images of each branch in a batch.
        classes (int): The first classes are those of the forget branch.
    """
    torch.manual_seed(0)
    labels = dict(forget=range(classes), retain=range(classes, len(_CLASSES)))
    return [(
        {branch: torch.randn(images, 3, *size) for branch in labels},
        {branch: [_sample(f'{batch} {branch} {image}', size, known) for image in range(images)]
         for branch, known in labels.items()}) for batch in range(_BATCHES)]


def _sample(name: str, size: tuple[int, int], labels: range) -> DetDataSample:
    scale = torch.tensor([size[1], size[0]])
    corners = 0.6 * torch.rand(_OBJECTS, 2) * scale
    sides = (0.1 + 0.3 * torch.rand(_OBJECTS, 2)) * scale
    sample = DetDataSample(metainfo=dict(
        img_id=name, img_path=name, img_shape=size, ori_shape=size, pad_shape=size,
        batch_input_shape=size, scale_factor=(1.0, 1.0)))
    sample.gt_instances = InstanceData(
        bboxes=torch.cat([corners, corners + sides], 1),
        labels=torch.randint(labels.start, labels.stop, (_OBJECTS, )))
    return sample


def _config(config: str, **options) -> Config:
    cfg = read_config(config)
    cfg.merge_from_dict(options)
    cfg.model.backbone.init_cfg = None  # no download
    return cfg


def _update(optimizer: torch.optim.Optimizer, trained: list[Tensor], total: Tensor) -> None:
    optimizer.zero_grad()
    total.backward()
    nn.utils.clip_grad_norm_(trained, 0.1)
    optimizer.step()


def small_steps() -> list[Pair]:
    """On Glyph80's detector, eight images a branch."""
    at = dict(config=GLYPH80, size=(128, 128), images=8)
    reference = partial(reference_step, **at)
    return [
        Pair('step, Glyph80: GSLoRA as published', reference,
             partial(our_step, **at, method=dict(_delete_=True, type='GSLoRA'))),
        Pair('step, Glyph80: LinearErasure, nothing remembered', reference,
             partial(our_step, **at)),
        Pair('step, Glyph80: LinearErasure, remembered', reference,
             partial(our_step, **at, gib=2.0))]


def large_steps(size: tuple[int, int]) -> list[Pair]:
    """On a Deformable DETR R50, one image a branch.

    Args:
        size (tuple[int, int]): Height and width of the images.
    """
    at = dict(size=size, images=1)
    name = f'R50, {size[0]} × {size[1]}'
    reference = partial(reference_step, COCO, **at)
    published = partial(our_step, COCO, **at)
    still = partial(our_step, COCO_LINEAR, **at, **_NO_DROPOUT)
    return [
        Pair(f'step, {name}: GSLoRA as published', reference, published),
        Pair(f'the same in bfloat16, against single precision, {name}', published,
             partial(published, bf16=True)),
        Pair(f'step, {name}: LinearErasure, nothing remembered', reference,
             partial(our_step, COCO_LINEAR, **at)),
        Pair(f'step, {name}: LinearErasure without dropout, remembered', reference,
             partial(still, gib=2.0))]
