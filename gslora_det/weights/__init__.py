"""Reading and writing checkpoints and adapters, strictly and safely."""

from gslora_det.weights.checkpoint import (
    FACTS,
    check_exists,
    exists,
    fetch,
    last_checkpoint,
    load_adapter,
    load_weights,
    local_path,
    plain,
    read_checkpoint,
    read_meta,
    read_weights,
    save_adapter,
    save_weights,
    weights_digest,
)
from gslora_det.weights.safe_mmengine import install_atomic_writer, install_safe_loader
from gslora_det.weights.unpickling import CheckpointError

__all__ = [
    'CheckpointError', 'FACTS', 'check_exists', 'exists', 'fetch',
    'install_atomic_writer', 'install_safe_loader', 'last_checkpoint', 'load_adapter',
    'load_weights', 'local_path', 'plain', 'read_checkpoint', 'read_meta', 'read_weights',
    'save_adapter', 'save_weights', 'weights_digest',
]
