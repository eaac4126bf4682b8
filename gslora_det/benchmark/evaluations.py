"""Evaluation of three splits and inference of merged weights, on Glyph80."""

import copy
import json
import tempfile
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import torch
from mmdet.evaluation import CocoMetric
from mmdet.registry import DATASETS, METRICS
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from torch import nn
from torch.utils.data import DataLoader, Subset

from gslora_det.benchmark.steps import GLYPH80, detector_of, paired_batches
from gslora_det.benchmark.timing import Pair
from gslora_det.checks.annotations import Annotations
from gslora_det.config_file import read_config
from gslora_det.engine.plan import make_plan
from gslora_det.engine.task_config import split_evaluator
from gslora_det.lora import inject_lora, lora_state, merge_lora, plain_state_dict
from gslora_det.quiet import hushed_logs, quiet
from gslora_det.readers import reader_of
from gslora_det.readers.prefix import FrozenPrefix
from gslora_det.weights import load_weights

_TASK = 1  # of seven: the second, in which all three splits have classes


def evaluations() -> list:
    """Three splits, and merged inference."""
    return [Pair('evaluation of three splits', three_evaluations, one_evaluation),
            Pair('the same, each on all images', partial(three_evaluations, everywhere=True),
                 one_evaluation),
            Pair('the same, after a first task', three_evaluations,
                 partial(one_evaluation, remembered=True)),
            Pair('inference of merged weights', original_inference, merged_inference)]


def one_evaluation(remembered: bool = False) -> Callable[[], None]:
    """All splits from one inference and one matching.

    Args:
        remembered (bool): Whether it is remembered of an image what all makes of it that stands
            before the last decoder layer's FFN.
    """
    cfg, dataset, detector = _glyph80()
    metric = METRICS.build(split_evaluator(
        cfg.val_evaluator, make_plan(cfg)[_TASK].split.measured()))
    detector.decoder.layers[-1].ffn.requires_grad_(remembered)
    prefix = FrozenPrefix(reader_of(detector), 2**31 * remembered)
    return lambda: _measure(detector, dataset, metric, cfg, prefix.of)


def three_evaluations(everywhere: bool = False) -> Callable[[], None]:
    """As the authors' code: each split on the images that show it, with its objects alone.

    Args:
        everywhere (bool): On all images instead, where false positives count everywhere.
    """
    cfg, dataset, detector = _glyph80()
    parts = []
    folder = tempfile.TemporaryDirectory()
    for name, names in make_plan(cfg)[_TASK].split.measured().items():
        file = Path(folder.name) / f'{name}.json'
        shown = _narrowed(cfg.val_evaluator.ann_file, names, file, everywhere)
        chosen = [i for i in range(len(dataset)) if dataset.get_data_info(i)['img_id'] in shown]
        with quiet():
            parts.append((Subset(dataset, chosen), CocoMetric(str(file), metric='bbox')))
    folder.cleanup()

    def run() -> None:
        for images, metric in parts:
            metric.dataset_meta = dataset.metainfo
            _measure(detector, images, metric, cfg)

    return run


def original_inference() -> Callable[[], None]:
    """Detection in some images."""
    return _inference(_glyph80()[2])


def merged_inference() -> Callable[[], None]:
    """The same by a detector with the weights of one that had LoRA in all FFNs."""
    erased, detector = (_glyph80()[2] for _ in range(2))
    inject_lora(erased, 8)
    for tensor in lora_state(erased).values():
        nn.init.normal_(tensor, std=1e-3)
    merge_lora(erased)
    load_weights(detector, plain_state_dict(erased))
    return _inference(detector)


def _glyph80() -> tuple:
    """A config, its validation data set and its detector."""
    cfg = read_config(GLYPH80)
    Annotations.of(cfg, 'val_dataloader').check_images()  # may draw it
    with quiet():
        dataset = DATASETS.build(cfg.val_dataloader.dataset)
    return cfg, dataset, detector_of(cfg).eval().requires_grad_(False)


def _narrowed(ann_file: str, names: Sequence[str], file: Path, everywhere: bool) -> set:
    """Writes what an annotation file has of some classes, and of the images that show them, or
    of all; gives the ids of these images."""
    data = json.loads(Path(ann_file).read_text())
    wanted = {each['id'] for each in data['categories'] if each['name'] in set(names)}
    data['annotations'] = [each for each in data['annotations'] if each['category_id'] in wanted]
    shown = ({each['id'] for each in data['images']} if everywhere
             else {each['image_id'] for each in data['annotations']})
    data['images'] = [each for each in data['images'] if each['id'] in shown]
    file.write_text(json.dumps(data))
    return shown


@torch.no_grad()
def _measure(detector: nn.Module, images: Any, metric: CocoMetric, cfg: Config,
             recalled: Callable[..., AbstractContextManager] = lambda *_: nullcontext()) -> None:
    metric.dataset_meta = getattr(images, 'metainfo', metric.dataset_meta)
    for batch in DataLoader(images, cfg.val_dataloader.batch_size, collate_fn=pseudo_collate):
        data = detector.data_preprocessor(batch)
        with recalled(data['inputs'], data['data_samples']):
            found = detector(**data, mode='predict')
        metric.process(batch, [sample.to_dict() for sample in found])
    with quiet(), hushed_logs():
        metric.evaluate(len(images))


def _inference(detector: nn.Module) -> Callable[[], None]:
    torch.manual_seed(0)
    inputs, samples = paired_batches((128, 128), 16, 10)[0]

    @torch.no_grad()
    def run() -> None:
        for _ in range(4):
            detector.predict(inputs['retain'], copy.deepcopy(samples['retain']))

    return run
