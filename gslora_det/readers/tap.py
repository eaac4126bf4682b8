"""Listening to what modules are handed, above all a head's classification loss."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from torch import Tensor, nn


class Call(NamedTuple):
    """One call of a loss.

    Attributes:
        logits (Tensor): Shape (N, classes).
        target (Tensor): As the head makes them: class indices, shape (N,), those of a quality
            focal loss without their scores; or a score a class, shape (N, classes).
        weight (Tensor, optional): Shape (N,) or (N, classes).
    """
    logits: Tensor
    target: Tensor
    weight: Tensor | None


@contextmanager
def tapped(loss: nn.Module, reweight: Callable[[int, Call], Tensor | None] | None = None
           ) -> Iterator[list[Call]]:
    """Within the block, notes all calls of a loss.

    Args:
        loss (nn.Module): Called as all of MMDet's are, ``loss(logits, target, weight, ...)``.
        reweight (callable, optional): Gives the weights to use instead, for the number of the
            call and the call.
    """
    calls: list[Call] = []

    def listen(_: nn.Module, args: tuple, kwargs: dict):
        kwargs = dict(zip(('pred', 'target', 'weight'), args), **kwargs)
        logits, target = kwargs.pop('pred'), kwargs.pop('target')
        call = Call(logits, target[0] if isinstance(target, tuple) else target,
                    kwargs.get('weight'))
        if reweight and kwargs.get('reduction_override') != 'none':  # or only to choose by it
            kwargs['weight'] = reweight(len(calls), call)
        calls.append(call)
        return (logits, target), kwargs

    handle = loss.register_forward_pre_hook(listen, with_kwargs=True)
    try:
        yield calls
    finally:
        handle.remove()


@contextmanager
def inputs_of(module: nn.Module, position: int = 0) -> Iterator[list[Tensor]]:
    """Within the block, notes one argument of all calls of a module."""
    notes: list[Tensor] = []
    with module.register_forward_pre_hook(lambda _, args: notes.append(args[position])):
        yield notes
