"""One class more in a RoI head, for its loss alone."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gslora_det.class_rows import fresh_logit


@contextmanager
def one_more_class(box_heads: Sequence[nn.Module], mask_heads: Sequence[nn.Module],
                   row: Tensor) -> Iterator[None]:
    """Within the block, heads have one class more, the last before the background.

    Nothing of it trains: what moves its boxes, where classes are told apart in that, and what
    fills its masks is zero.

    Args:
        box_heads (list[BBoxHead]): With a softmax.
        mask_heads (list[FCNMaskHead]): Those beside them, if any.
        row (Tensor): The class's row of the class layers, shape (dim,); the bias is that of
            a fresh focal-loss head.
    """
    def with_logit(_: nn.Module, args: tuple, logits: Tensor) -> Tensor:
        column = (args[0] @ row.to(args[0]) + fresh_logit())[:, None]
        return torch.cat([logits[:, :-1], column, logits[:, -1:]], 1)

    hooks = [head.fc_cls.register_forward_hook(with_logit) for head in box_heads]
    hooks += [head.fc_reg.register_forward_hook(_padded(0, head.bbox_coder.encode_size))
              for head in box_heads if not head.reg_class_agnostic]
    hooks += [head.register_forward_hook(_padded(0, 0, 0, 0, 0, 1)) for head in mask_heads]
    weights = [getattr(head.loss_cls, 'class_weight', None) for head in box_heads]
    for head, each in zip(box_heads, weights):
        head.num_classes += 1
        if each:  # of the background as the last
            head.loss_cls.class_weight = [*each[:1], *each]
    try:
        yield
    finally:
        for head, each in zip(box_heads, weights):
            head.num_classes -= 1
            head.loss_cls.class_weight = each
        for hook in hooks:
            hook.remove()


def _padded(*sides: int) -> Callable[[nn.Module, tuple, Tensor], Tensor]:
    """A forward hook that appends zeros."""
    return lambda _, args, output: F.pad(output, sides)
