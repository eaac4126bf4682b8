"""What the result of a cell depends on."""

import functools
import hashlib
import json
from pathlib import Path

from mmengine.config import Config

from gslora_det.files import as_json, sha256
from gslora_det.weights import fetch

# Beside data, code, and the weights of `load_from` and of a method: kept as it is, or as a hash.
SETTINGS = ('sequence', 'method', 'optim_wrapper', 'param_scheduler', 'randomness')
HASHED = ('model', 'train_dataloader', 'val_dataloader', 'val_evaluator', 'auto_scale_lr',
          'custom_hooks')


@functools.lru_cache
def _hash(path: Path, modified: int) -> str:
    """SHA-256 of a file as it was then: all cells of a setting start from one."""
    return sha256(path)


def settings_of(cfg: Config) -> dict:
    """What the result of a run with this config depends on, as JSON has it."""
    found = as_json({key: cfg[key] for key in SETTINGS if key in cfg})
    found['sequence'].pop('original', None)
    others = json.dumps({key: cfg.get(key) for key in HASHED}, sort_keys=True, default=str)
    for name, source in (('weights', cfg.load_from),
                         ('method_weights', cfg.method.get('weights'))):
        if source:
            path = fetch(source)
            found[name] = _hash(path, path.stat().st_mtime_ns)
    found['others'] = hashlib.sha256(others.encode()).hexdigest()
    return found
