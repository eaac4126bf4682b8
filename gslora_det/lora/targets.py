"""What is adapted where nobody names it."""

from fnmatch import fnmatchcase

from mmcv.cnn import ConvModule
from mmcv.cnn.bricks.transformer import FFN
from torch import nn

from gslora_det.lora.groups import listed


def default_targets(module: nn.Module) -> list[str]:
    """The names of the Linear layers and convolutions that are adapted by default.

    Those of the FFNs of a DETR's Transformer blocks, where there are any; else the hidden
    fully connected layers of the RoI heads, such as ``roi_head.bbox_head.shared_fcs``,
    where there is a ``roi_head``; else the convolutions of the head's towers and of the
    neck. Layers that predict are never among them.
    """
    return _ffns(module) or (_fcs(module) if hasattr(module, 'roi_head') else _convs(module))


def _names(module: nn.Module, kind: type) -> list[str]:
    """All names of the submodules of one kind; what is shared has several."""
    return [name for name, part in module.named_modules(remove_duplicate=False)
            if isinstance(part, kind)]


def _ffns(module: nn.Module) -> list[str]:
    """Transformer blocks stand in lists; a head may have an FFN of its own."""
    ffns = tuple(f'{name}.' for name in _names(module, FFN)
                 if listed(name, module) and not name.startswith(('backbone.', 'neck.')))
    return [name for name in _names(module, nn.Linear) if name.startswith(ffns)]


def _fcs(module: nn.Module) -> list[str]:
    """A cascade has a list of heads: ``roi_head.bbox_head.0.shared_fcs.0``."""
    return [name for name in _names(module, nn.Linear)
            if fnmatchcase(name, 'roi_head.bbox_head.*fcs.*')]


def _convs(module: nn.Module) -> list[str]:
    """Towers are lists of convolutions with an activation; a layer that predicts has none."""
    lists = nn.ModuleList, nn.Sequential
    return [f'{name}.conv' for name in _names(module, ConvModule)
            if name.startswith('neck.') or name.startswith('bbox_head.')
            and module.get_submodule(name).with_activation and listed(name, module, lists)]
