"""Reading and writing checkpoints and adapters, strictly and safely."""

from gslora_det.weights.adapter import FACTS, load_adapter, save_adapter, weights_digest
from gslora_det.weights.checkpoint import (
    load_weights,
    read_checkpoint,
    read_meta,
    read_weights,
    save_weights,
)
from gslora_det.weights.safe_mmengine import install_atomic_writer, install_safe_loader
from gslora_det.weights.sources import check_exists, exists, fetch, last_checkpoint, local_path
from gslora_det.weights.trained_on import check_classes, dataset_meta
from gslora_det.weights.unpickling import CheckpointError

__all__ = [
    'CheckpointError', 'FACTS', 'check_classes', 'check_exists', 'dataset_meta', 'exists', 'fetch',
    'install_atomic_writer', 'install_safe_loader', 'last_checkpoint', 'load_adapter',
    'load_weights', 'local_path', 'read_checkpoint', 'read_meta', 'read_weights',
    'save_adapter', 'save_weights', 'weights_digest',
]
