"""Puts this package's reading and writing of checkpoints in the place of MMEngine's own."""

from pathlib import Path
from typing import Any

from mmengine.fileio import LocalBackend
from mmengine.runner import checkpoint as mmengine_checkpoint

from gslora_det.files import write_file
from gslora_det.weights.checkpoint import read_checkpoint
from gslora_det.weights.unpickling import unpickle


def install_safe_loader() -> None:
    """Makes MMEngine read checkpoints as this package does.

    The maintained MMEngine falls back silently to free unpickling, and both MMEngines
    do so for URLs; this replaces their loaders in this process, for every scheme.
    """
    def load_from_safe(filename: str, map_location: Any = None, **kwargs) -> dict:
        return _without_config(read_checkpoint(filename, map_location or 'cpu'))

    def safe_torch_load(file: Any, map_location: Any = None, **kwargs) -> Any:
        return _without_config(
            unpickle(Path(file) if isinstance(file, str) else file, map_location))

    def _without_config(content: Any) -> Any:
        # A program, which MMEngine runs when it resumes.
        if isinstance(content, dict) and isinstance(content.get('meta'), dict):
            content['meta'].pop('config', None)
        return content

    mmengine_checkpoint.CheckpointLoader.register_scheme(
        ['', 'http://', 'https://'], load_from_safe, force=True)
    # torchvision://, open-mmlab:// and mmcls:// look these up by name, not by scheme.
    mmengine_checkpoint.load_from_http = load_from_safe
    mmengine_checkpoint._safe_torch_load = safe_torch_load


def install_atomic_writer() -> None:
    """Makes MMEngine write checkpoints atomically: a killed run leaves no half of one."""
    def put(self: LocalBackend, obj: bytes, filepath: str | Path) -> None:
        write_file(filepath, obj)

    LocalBackend.put = put
