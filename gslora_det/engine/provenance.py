"""With what a run was done: code, packages, device, seed and time."""

import contextlib
import hashlib
import importlib.metadata
import os
import platform
import resource
import time
from pathlib import Path

import mmcv
import mmdet
import mmengine
import torch
from mmengine.dist import get_world_size

import gslora_det


def package_versions() -> dict[str, str]:
    """Versions by name; MMDetection has several distributions, so it is asked itself."""
    found = {m.__name__: m.__version__ for m in (torch, mmengine, mmcv, mmdet)}
    for name in ('numpy', 'pycocotools', 'faster_coco_eval', 'safetensors'):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):  # one is an extra
            found[name] = importlib.metadata.version(name)
    return found


def device_name() -> str:
    """The GPUs, or the CPU, that a run uses."""
    if torch.cuda.is_available():
        return f'{torch.cuda.device_count()} x {torch.cuda.get_device_name()}'
    return f'CPU, {os.cpu_count()} cores, {torch.get_num_threads()} threads'


def peak_memory() -> int:
    """Most memory that this process has had, in bytes: the GPU's where there is one."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def source_sha256() -> str:
    """One hash of all Python files of this package, wherever it is installed."""
    root = Path(gslora_det.__file__).parent
    digest = hashlib.sha256()
    for file in sorted(root.rglob('*.py')):
        digest.update(file.relative_to(root).as_posix().encode() + b'\0' + file.read_bytes())
    return digest.hexdigest()


def now() -> str:
    """The time in UTC, to the second, in ISO 8601."""
    return time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())


def provenance(seed: int) -> dict:
    """What the record keeps about one start, or resumption, of a sequence.

    Args:
        seed (int): The config's seed.
    """
    return dict(
        started=now(), finished=None, seed=seed, processes=get_world_size(),
        device=device_name(), python=platform.python_version(),
        code=dict(version=gslora_det.__version__, sha256=source_sha256()),
        packages=package_versions())
