"""Plain MMDet checkpoints from weights and adapters."""

import copy
import json
from collections.abc import Sequence
from pathlib import Path

import torch
from mmdet.registry import DATASETS, MODELS
from mmengine.config import Config
from torch import nn

from gslora_det.class_rows import reset_rows_
from gslora_det.files import check_new
from gslora_det.weights.adapter import FACTS, load_adapter, weights_digest
from gslora_det.weights.checkpoint import load_weights, read_meta, save_weights
from gslora_det.weights.sources import check_exists
from gslora_det.weights.trained_on import check_classes, dataset_meta
from gslora_det.weights.unpickling import CheckpointError


def export(cfg: Config, weights: str, out: str, adapters: Sequence[str] = (),
           half: bool = False) -> None:
    """Writes a plain MMDet checkpoint of a detector, with adapters folded in.

    Args:
        cfg (Config): Names the detector and the data set's classes.
        weights (str): Weights of the plain detector.
        out (str): The ``.pth`` file to write; none may be there.
        adapters (list[str]): Adapters to fold in, in the order of their tasks.
        half (bool): Store half-precision weights.

    Raises:
        CheckpointError: As :func:`merged`; nothing is written.
        ValueError: The file is there, or is named like another kind.
    """
    check_new(out)
    if Path(out).suffix not in ('.pth', '.pt'):
        raise ValueError(f'{out} is to be a PyTorch checkpoint: name it .pth')
    detector, meta = merged(cfg, weights, adapters)
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    save_weights(detector.state_dict(), out, meta, half)


def merged(cfg: Config, weights: str, adapters: Sequence[str] = ()) -> tuple[nn.Module, dict]:
    """A plain detector with adapters folded in, and what a checkpoint of it says of itself.

    What is said of its task is what the last adapter says, or the weights without any.

    Args:
        cfg (Config): Names the detector and the data set's classes.
        weights (str): Weights of the plain detector.
        adapters (list[str]): Adapters to fold in, in the order of their tasks.

    Returns:
        tuple: The detector, and its ``dataset_meta`` beside those of ``FACTS`` that are known.

    Raises:
        CheckpointError: A file does not fit the detector, or an adapter was trained on other
            weights than those it would be folded into.
        ValueError: The config has no detector or no data set.
    """
    if not cfg.get('model') or not (cfg.get('val_dataloader') or {}).get('dataset'):
        raise ValueError(f'{cfg.filename} needs model and val_dataloader, whose data set names '
                         'the classes: set both, or give the config that trained the detector')
    check_exists(weights)
    detector = MODELS.build(copy.deepcopy(cfg.model))  # MMDet writes into its config
    load_weights(detector, weights)
    state, stated = detector.state_dict(), read_meta(weights)  # the parameters, no copies
    known = stated
    digest, given = weights_digest(state), weights
    for adapter in adapters:
        matrices, facts = load_adapter(adapter)
        _check_base(adapter, facts, digest, given)
        _fold(state, adapter, matrices, float(facts['scaling']))
        _reset(state, json.loads(facts.get('reset_rows', '{}')))
        known = {key: json.loads(facts[key]) for key in FACTS if key in facts}
        digest, given = facts['merged'], f'what {adapter} makes of {given}'
    dataset = DATASETS.build(dict(cfg.val_dataloader.dataset, lazy_init=True))
    check_classes(stated, weights, dataset.metainfo['classes'])
    meta = {key: known[key] for key in FACTS if key in known}
    return detector, dict(meta, dataset_meta=dataset_meta(dataset))


def _check_base(adapter: str, facts: dict, digest: str, given: str) -> None:
    """Refuses weights that the adapter was not trained on: nobody measured what comes out."""
    if facts['base'] == digest:
        return
    erases, before = (', '.join(json.loads(facts[key])) for key in ('forgotten', 'old'))
    raise CheckpointError(
        f'{adapter} (erases {erases}; erased before: {before or "nothing"}) was trained on '
        f'weights of digest {facts["base"][:12]}, and {given} has {digest[:12]}: give the weights '
        'that it was trained on, with the adapters between, each once and in the order of their '
        'tasks')


def _fold(state: dict, adapter: str, matrices: dict, scaling: float) -> None:
    """Adds s B A of every layer of an adapter to the weights."""
    layers = {name.rpartition('.')[0] for name in matrices}
    if not layers:
        raise CheckpointError(f'{adapter} holds no layers')
    for layer in sorted(layers):
        lora_a, lora_b = (matrices.get(f'{layer}.lora_{part}') for part in 'AB')
        weight = state.get(f'{layer}.weight')
        if (lora_a is None or lora_b is None or weight is None
                or weight.shape != (len(lora_b), *lora_a.shape[1:])
                or len(lora_a) != lora_b.shape[1]):
            raise CheckpointError(f'{adapter} does not fit the detector at {layer}')
        with torch.no_grad():  # of a convolution: A is one, and B is 1 x 1
            weight += (scaling * lora_b.flatten(1) @ lora_a.flatten(1)).view_as(weight)


def _reset(state: dict, reset: dict) -> None:
    """Resets the rows of class layers that an adapter names, as its method did."""
    for layer in reset.get('layers', ()):
        reset_rows_(state[f'{layer}.weight'], state[f'{layer}.bias'], reset['rows'],
                    reset['bias'], reset.get('background'))
