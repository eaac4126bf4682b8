"""Putting LoRA layers into a detector, and taking them out again."""

from collections import Counter
from collections.abc import Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase

import torch
from mmcv.cnn import Conv2d, Linear
from torch import Tensor, nn

from gslora_det.lora.groups import LoRAGroup, lora_groups
from gslora_det.lora.layer import LoRAConv2d, LoRALinear
from gslora_det.lora.targets import default_targets

# No subclass else: those normalise their weight, deform, or have it read past them, as
# the out_proj of nn.MultiheadAttention.
_LORA = {nn.Linear: LoRALinear, Linear: LoRALinear, nn.Conv2d: LoRAConv2d, Conv2d: LoRAConv2d}


def _adaptable(module: nn.Module) -> dict[str, nn.Module]:
    """The layers that an update of their own reaches, under all their names.

    A layer may stand in several places, as those that levels of a head share. Left out are
    grouped convolutions, and weights that several layers share: they are not merged alone.
    """
    uses = Counter(p for part in module.modules() for p in part.parameters(recurse=False))
    return {name: layer for name, layer in module.named_modules(remove_duplicate=False)
            if type(layer) in _LORA and uses[layer.weight] == 1
            and getattr(layer, 'groups', 1) == 1}


def _matching(names: Sequence[str], patterns: Sequence[str]) -> list[str]:
    matched = set()
    for pattern in patterns:
        found = [name for name in names if fnmatchcase(name, pattern)]
        if not found:
            near = get_close_matches(pattern, names, n=3, cutoff=0.3) or names[:3]
            raise ValueError(f"LoRA target '{pattern}' matches no layer that can be adapted; "
                             f'there are, for example: {", ".join(near)}')
        matched.update(found)
    return [name for name in names if name in matched]


def lora_targets(module: nn.Module, targets: Sequence[str] | None = None) -> list[str]:
    """The names of the layers that :func:`inject_lora` replaces; arguments and errors are its."""
    layers = [*_adaptable(module)]
    if not layers:
        raise ValueError(f'{type(module).__name__} has no Linear layer or ungrouped '
                         'convolution that can be adapted')
    if targets is not None:
        return _matching(layers, targets)
    names = set(default_targets(module)).intersection(layers)
    if not names:
        raise ValueError(
            f'{type(module).__name__} has no FFN in a Transformer block, tower, neck or '
            'fully connected layer of a RoI head to adapt: name layers in targets, e.g. '
            f'{", ".join(layers[:3])}')
    return [name for name in layers if name in names]


def inject_lora(module: nn.Module, rank: int, targets: Sequence[str] | None = None,
                lora_alpha: float = 1.0) -> list[LoRAGroup]:
    """Replaces layers by :class:`LoRALinear` and :class:`LoRAConv2d`; outputs do not change.

    A layer that stands in several places is replaced in all of them by one.

    Args:
        module (nn.Module): The detector; changed in place.
        rank (int): Rank of every update; a layer that is too small for it takes its own rank.
        targets (list[str], optional): Patterns (``fnmatch``) over the names of Linear and
            Conv2d layers, such as ``'backbone.stages.*.ffn.layers.*'``; by default those of
            :func:`~gslora_det.lora.targets.default_targets`. Left out are grouped
            convolutions, weights that several layers share, the ``out_proj`` of
            ``nn.MultiheadAttention``, and what does more with its weight than the plain
            layer.
        lora_alpha (float): The updates are scaled by ``lora_alpha / rank``.

    Returns:
        list[LoRAGroup]: One group a block of the model, such as a Transformer block, a
        convolution of a tower or a fully connected layer.

    Raises:
        ValueError: A target matches nothing, nothing can be adapted, or the rank does not
            fit; no layer is replaced then.
    """
    layers, names = _adaptable(module), lora_targets(module, targets)
    ranks = {layers[name]: min(layers[name].weight.flatten(1).shape) for name in names}
    # A small layer, such as a class layer of few classes, takes its own rank beside larger ones.
    ranks = {layer: min(rank, full) if rank <= max(ranks.values()) else rank
             for layer, full in ranks.items()}
    lora = {layer: _LORA[type(layer)](layer, own, own * (lora_alpha / rank))
            for layer, own in ranks.items()}
    for name, layer in layers.items():
        if layer in lora:
            parent, _, child = name.rpartition('.')
            setattr(module.get_submodule(parent), child, lora[layer])
    return lora_groups(module)


def lora_state(module: nn.Module) -> dict[str, Tensor]:
    """The adapter: ``lora_A`` and ``lora_B`` of every LoRA layer, by full name."""
    return {name: parameter.detach() for name, parameter in module.named_parameters()
            if name.endswith(('.lora_A', '.lora_B'))}


def merge_lora(module: nn.Module) -> None:
    """Folds every update into its weight.

    Raises:
        ValueError: An update holds NaN or Inf; no layer is changed then.
    """
    layers = {name: layer for group in lora_groups(module) for name, layer in group.layers.items()}
    for name, layer in layers.items():
        if not torch.isfinite(layer.delta()).all():
            raise ValueError(f'the update of {name} holds NaN or Inf; nothing is merged: lower '
                             'the learning rate or beta, and train the task again')
    for layer in layers.values():
        layer.merge()


def plain_state_dict(module: nn.Module) -> dict[str, Tensor]:
    """The module's state dict without any LoRA key."""
    return {name: value for name, value in module.state_dict().items()
            if not name.endswith(('.lora_A', '.lora_B'))}
