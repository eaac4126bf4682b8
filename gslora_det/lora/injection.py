"""Putting LoRA layers into a detector, and taking them out again."""

from collections import Counter
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Dict, List, Optional, Sequence

import torch
from mmcv.cnn.bricks.transformer import FFN
from torch import Tensor, nn
from torch.nn.modules.linear import NonDynamicallyQuantizableLinear

from gslora_det.lora.groups import LoRAGroup, in_list, lora_groups
from gslora_det.lora.layer import LoRALinear

# Teachers use the features of the detector that trains.
_FROZEN = ('backbone.', 'neck.')


def _linears(module: nn.Module) -> List[str]:
    """The Linear layers that an update of their own reaches.

    It does not reach those whose weight is read past them (by nn.MultiheadAttention), nor
    can it be merged into those that several places share.
    """
    linears = [(name, layer) for name, layer in module.named_modules(remove_duplicate=False)
               if isinstance(layer, nn.Linear)]
    uses = Counter(layer.weight for _, layer in linears)
    return [name for name, layer in linears
            if uses[layer.weight] == 1 and not name.startswith(_FROZEN)
            and not isinstance(layer, NonDynamicallyQuantizableLinear)]


def _ffn_linears(module: nn.Module) -> List[str]:
    """Those in the FFNs of Transformer blocks, which stand in lists; a head may have its own."""
    ffns = tuple(f'{name}.' for name, part in module.named_modules()
                 if isinstance(part, FFN) and in_list(name, module))
    return [name for name in _linears(module) if name.startswith(ffns)]


def _matching_linears(module: nn.Module, patterns: Sequence[str]) -> List[str]:
    names = _linears(module)
    matched = set()
    for pattern in patterns:
        found = [name for name in names if fnmatchcase(name, pattern)]
        if not found:
            near = get_close_matches(pattern, names, n=3, cutoff=0.3) or names[:3]
            raise ValueError(f"LoRA target '{pattern}' matches no Linear layer that "
                             f'can be adapted; there are, for example: {", ".join(near)}')
        matched.update(found)
    return [name for name in names if name in matched]


def inject_lora(module: nn.Module, rank: int, targets: Optional[Sequence[str]] = None,
                lora_alpha: float = 1.0) -> List[LoRAGroup]:
    """Replaces Linear layers by :class:`LoRALinear`; outputs do not change.

    Args:
        module (nn.Module): The detector; changed in place.
        rank (int): Rank of every update.
        targets (list[str], optional): Patterns (``fnmatch``) over the names of Linear
            layers, such as ``'encoder.layers.*.self_attn.value_proj'``; by default all
            in the mmcv ``FFN`` of a Transformer block. Left out are backbone and neck,
            weights that several layers share, and the ``out_proj`` of
            ``nn.MultiheadAttention``.
        lora_alpha (float): The updates are scaled by ``lora_alpha / rank``.

    Returns:
        list[LoRAGroup]: One group a Transformer block.

    Raises:
        ValueError: A target matches nothing, there is no FFN, or rank < 1.
    """
    if targets is None:
        names = _ffn_linears(module)
        if not names:
            raise ValueError(f'{type(module).__name__} has no Transformer block with an '
                             'mmcv FFN to adapt: name its Linear layers in targets, e.g. '
                             f'{", ".join(_linears(module)[:3]) or "(it has none)"}')
    else:
        names = _matching_linears(module, targets)
    for name in names:
        parent, _, child = name.rpartition('.')
        layer = LoRALinear(module.get_submodule(name), rank, lora_alpha)
        setattr(module.get_submodule(parent), child, layer)
    return lora_groups(module)


def lora_state(module: nn.Module) -> Dict[str, Tensor]:
    """The adapter: ``lora_A`` and ``lora_B`` of every LoRA layer, by full name."""
    return {name: parameter.detach() for name, parameter in module.named_parameters()
            if name.endswith(('.lora_A', '.lora_B'))}


def merge_lora(module: nn.Module) -> None:
    """Folds every update into its weight.

    Raises:
        ValueError: An update holds NaN or Inf; no layer is changed then.
    """
    broken = [name for name, value in lora_state(module).items()
              if not torch.isfinite(value).all()]
    if broken:
        raise ValueError(f'{broken[0]} holds NaN or Inf; nothing is merged: lower the '
                         'learning rate or beta, and train the task again')
    for group in lora_groups(module):
        for layer in group.layers.values():
            layer.merge()


def plain_state_dict(module: nn.Module) -> Dict[str, Tensor]:
    """The module's state dict without any LoRA key."""
    return {name: value for name, value in module.state_dict().items()
            if not name.endswith(('.lora_A', '.lora_B'))}
