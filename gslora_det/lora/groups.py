"""Groups of LoRA layers: the unit that the group-sparse penalty keeps or drops."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn

from gslora_det.lora.layer import LoRALayer

Lists = type[nn.Module] | tuple[type[nn.Module], ...]


@dataclass(frozen=True)
class LoRAGroup:
    """The LoRA layers of one block of the detector.

    Attributes:
        name (str): Name of the block in the detector, e.g. ``'encoder.layers.0'``.
        layers (dict): The block's LoRA layers by their names in the detector.
    """
    name: str
    layers: dict[str, LoRALayer]

    def matrices(self) -> list[nn.Parameter]:
        """All A, then all B, of the group."""
        layers = self.layers.values()
        return [m.lora_A for m in layers] + [m.lora_B for m in layers]

    @torch.no_grad()
    def norm(self) -> float:
        """Size of the update, ``sqrt(sum of ||s B A||_F^2)`` over the layers."""
        return torch.stack([m.delta().norm() for m in self.layers.values()]).norm().item()


def listed(name: str, module: nn.Module, lists: Lists = nn.ModuleList) -> str | None:
    """The nearest element of a list that the submodule ``name`` is or lies in."""
    parts = name.split('.')
    for end in range(len(parts), 0, -1):
        if isinstance(module.get_submodule('.'.join(parts[:end - 1])), lists):
            return '.'.join(parts[:end])
    return None


def block_name(name: str, module: nn.Module) -> str:
    """The name of the block that the submodule ``name`` belongs to.

    A model declares its blocks as the elements of an ``nn.ModuleList``: a Transformer
    block, a convolution of a tower, a level of a neck, a fully connected layer. The nearest
    one counts. Outside any list, it is the submodule's parent, e.g. a ``ConvModule``.
    """
    return listed(name, module) or name.rpartition('.')[0] or name


def lora_groups(module: nn.Module) -> list[LoRAGroup]:
    """Finds the LoRA layers of a module and groups them by block, by walking modules."""
    groups: dict[str, LoRAGroup] = {}
    for name, layer in module.named_modules():
        if isinstance(layer, LoRALayer):
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
