"""Adapters, and the digests by which they know their weights."""

import hashlib
import json
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor

from gslora_det.files import write_file
from gslora_det.weights.checkpoint import read_safetensors
from gslora_det.weights.unpickling import CheckpointError
from gslora_det.weights.writable import finite_copies

ADAPTER_FORMAT = '2'  # from which on an adapter names its weights
# What a task's files say of it: its classes, those erased before, and the SHA-256 of the file
# of weights before any erasure.
FACTS = ('task', 'forgotten', 'old', 'original')


def save_adapter(state: dict[str, Tensor], path: str | Path,
                 metadata: dict[str, str]) -> None:
    """Writes an adapter (``lora_A`` and ``lora_B``) as ``.safetensors``, atomically.

    ``.safetensors`` has no checksum, so one of its content goes into its metadata.
    """
    state = finite_copies(state, path)
    metadata = dict(metadata, format_version=ADAPTER_FORMAT)
    content = save(state, dict(metadata, sha256=_digest(state, metadata)))
    write_file(path, content)


def weights_digest(state: dict[str, Tensor]) -> str:
    """A SHA-256 of weights by name: the same in whatever file, and on whatever device."""
    return _digest({key: value.detach().cpu().contiguous() for key, value in state.items()}, {})


def load_adapter(path: str | Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Reads an adapter: its tensors by name, and its metadata.

    Raises:
        CheckpointError: The file is missing, damaged, or of another format version.
    """
    state, metadata = read_safetensors(Path(path))
    if 'format_version' not in metadata:
        raise CheckpointError(f'{path} is no adapter of this package: it has no format '
                              'version')
    if metadata.pop('sha256', None) != _digest(state, metadata):
        raise CheckpointError(f'{path} is damaged: its content has another sha256')
    version = metadata.pop('format_version', None)
    if version != ADAPTER_FORMAT:
        raise CheckpointError(f'{path} has format version {version}, this package reads '
                              f'{ADAPTER_FORMAT}: use the package that wrote it')
    return state, metadata


def _digest(state: dict[str, Tensor], metadata: dict[str, str]) -> str:
    """A hash of tensors and metadata, whatever their order."""
    digest = hashlib.sha256(json.dumps(metadata, sort_keys=True).encode())
    for key, value in sorted(state.items()):
        digest.update(f'{key} {value.dtype} {tuple(value.shape)}'.encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
