"""Groups of LoRA layers: the unit that the group-sparse penalty keeps or drops."""

from contextlib import contextmanager
from dataclasses import dataclass
from typing import Dict, Iterator, List, Optional, Sequence

import torch
from torch import nn

from gslora_det.lora.layer import LoRALinear


@dataclass(frozen=True)
class LoRAGroup:
    """The LoRA layers of one Transformer block.

    Attributes:
        name (str): Name of the block in the detector, e.g. ``'encoder.layers.0'``.
        layers (dict): The block's LoRA layers by their names in the detector.
    """
    name: str
    layers: Dict[str, LoRALinear]

    def matrices(self) -> List[nn.Parameter]:
        """All A, then all B, of the group."""
        layers = self.layers.values()
        return [m.lora_A for m in layers] + [m.lora_B for m in layers]

    @torch.no_grad()
    def norm(self) -> float:
        """Size of the update, ``sqrt(sum of ||s B A||_F^2)`` over the layers."""
        return torch.stack([m.delta().norm() for m in self.layers.values()]).norm().item()


def _listed(name: str, module: nn.Module) -> Optional[str]:
    """The nearest element of an ``nn.ModuleList`` that the submodule ``name`` is or lies in."""
    parts = name.split('.')
    for end in range(len(parts), 0, -1):
        if isinstance(module.get_submodule('.'.join(parts[:end - 1])), nn.ModuleList):
            return '.'.join(parts[:end])
    return None


def in_list(name: str, module: nn.Module) -> bool:
    """Whether the submodule ``name`` is, or lies in, an element of an ``nn.ModuleList``."""
    return _listed(name, module) is not None


def block_name(name: str, module: nn.Module) -> str:
    """The name of the Transformer block that the submodule ``name`` belongs to.

    A block is an element of an ``nn.ModuleList``; the nearest one above counts. Outside
    any list, it is the submodule's parent.
    """
    parent = name.rpartition('.')[0]
    return parent and _listed(parent, module) or parent


def lora_groups(module: nn.Module) -> List[LoRAGroup]:
    """Finds the LoRA layers of a module and groups them by block, by walking modules."""
    groups: Dict[str, LoRAGroup] = {}
    for name, layer in module.named_modules():
        if isinstance(layer, LoRALinear):
            block = block_name(name, module)
            groups.setdefault(block, LoRAGroup(block, {})).layers[name] = layer
    return list(groups.values())


@contextmanager
def lora_disabled(groups: Sequence[LoRAGroup]) -> Iterator[None]:
    """Within the block, the module acts as it did before its LoRA layers were trained."""
    layers = [layer for group in groups for layer in group.layers.values()]
    for layer in layers:
        layer.enabled = False
    try:
        yield
    finally:
        for layer in layers:
            layer.enabled = True
