"""Plain MMDet checkpoints from weights and adapters."""

import copy
import json
from pathlib import Path
from typing import Sequence

import torch
from mmdet.registry import DATASETS, MODELS
from mmengine.config import Config

from gslora_det.engine.checkpoint import (
    FACTS,
    CheckpointError,
    load_adapter,
    load_weights,
    read_meta,
    save_weights,
)


def export(cfg: Config, weights: str, out: str, adapters: Sequence[str] = (),
           half: bool = False) -> None:
    """Writes a plain MMDet checkpoint of a detector, with adapters folded in.

    What it says of its task is what the last adapter says, or the weights without any.

    Args:
        cfg (Config): Names the detector and the data set's classes.
        weights (str): Weights of the plain detector.
        out (str): The ``.pth`` file to write.
        adapters (list[str]): Adapters to fold in, in the order of their tasks.
        half (bool): Store half-precision weights.

    Raises:
        CheckpointError: A file does not fit the detector; nothing is written.
    """
    detector = MODELS.build(copy.deepcopy(cfg.model))  # MMDet writes into its config
    load_weights(detector, weights)
    state, known = detector.state_dict(), read_meta(weights)
    for adapter in adapters:
        known = _fold(state, adapter)
    dataset = DATASETS.build(dict(cfg.val_dataloader.dataset, lazy_init=True))
    meta = {key: known[key] for key in FACTS if key in known}
    meta['dataset_meta'] = dict(
        classes=list(dataset.metainfo['classes']),
        palette=[list(colour) for colour in dataset.metainfo.get('palette') or []])
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    save_weights(state, out, meta, half)


def _fold(state: dict, adapter: str) -> dict:
    """Adds s B A of every layer of an adapter to the weights; returns its facts."""
    matrices, metadata = load_adapter(adapter)
    layers = {name.rpartition('.')[0] for name in matrices}
    if not layers:
        raise CheckpointError(f'{adapter} holds no layers')
    for layer in sorted(layers):
        lora_a, lora_b = (matrices.get(f'{layer}.lora_{part}') for part in 'AB')
        weight = state.get(f'{layer}.weight')
        if (lora_a is None or lora_b is None or weight is None
                or weight.shape != (len(lora_b), lora_a.shape[1])
                or len(lora_a) != lora_b.shape[1]):
            raise CheckpointError(f'{adapter} does not fit the detector at {layer}')
        with torch.no_grad():
            weight += float(metadata['scaling']) * lora_b @ lora_a
    return {key: json.loads(metadata[key]) for key in FACTS if key in metadata}
