"""What stands before the first layer that trains runs once for an image."""

import hashlib
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any, NamedTuple

import torch
from mmengine.utils.dl_utils.parrots_wrapper import _BatchNorm
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd

from gslora_det.readers.batch import Batch


class Link(NamedTuple):
    """A module of the chain that a detector runs.

    Attributes:
        module (nn.Module): Makes tensors of shape (images, ...) from what comes before.
        read_later (bool): Whether others than the next links read what it makes.
    """
    module: nn.Module
    read_later: bool = False


def is_frozen(module: nn.Module) -> bool:
    """Whether a module always makes the same of the same input."""
    if any(p.requires_grad for p in module.parameters()):
        return False
    return not any(
        part.training and (isinstance(part, _BatchNorm) or isinstance(part, _DropoutNd) and part.p
                           or isinstance(part, nn.MultiheadAttention) and part.dropout
                           or type(part).__name__ == 'DropPath' and part.drop_prob)
        for part in module.modules())


class _Made(Exception):
    """All that a prefix asks for is made."""


def by_file(sample: Any) -> tuple | None:
    """By what an image is known that looks the same every time; None where it has no file."""
    if 'img_path' in sample:
        return sample.img_path, tuple(sample.img_shape), tuple(sample.batch_input_shape)
    return None


class FrozenPrefix:
    """Remembers what the frozen links before the first that trains make of each image.

    Right only where an image looks the same every time. In front of the last link that is
    remembered, modules are handed zeros of the right shape: nothing reads them.

    Args:
        reader (Reader): Of the detector, after it was decided what trains.
        limit (float): Remember no further images beyond so many bytes.
        seen (dict, optional): What another prefix of equal :attr:`digest` remembers.
        links (list[Link], optional): Instead of all that are frozen.
        key (callable): By what an image is known; None for one that is not remembered.

    Attributes:
        seen (dict): By image, what each link made of it.
        size (int): Bytes that are remembered.
    """

    def __init__(self, reader: Any, limit: float, seen: dict[tuple, list] | None = None,
                 links: list[Link] | None = None,
                 key: Callable[[Any], Hashable] = by_file) -> None:
        self.reader = reader
        self.key = key
        self.links: list[Link] = reader.frozen_links() if links is None else links
        self.limit = limit
        self.seen: dict[tuple, list] = {} if seen is None else seen
        self.size = sum(map(_bytes, self.seen.values()))

    @property
    def digest(self) -> str:
        """Of all that the links make of an image depends on, but the image."""
        digest = hashlib.sha256(str(len(self.links)).encode())
        for name, value in self.reader.read_by(self.links).items():
            digest.update(name.encode())
            digest.update(value.detach().cpu().contiguous().view(-1).numpy().tobytes())
        return digest.hexdigest()

    @property
    def beyond_stem(self) -> bool:
        """Whether links of the detector's head are remembered, too."""
        return len(self.links) > len(self.reader.stem())

    def recalled_by(self, other: Any, digest: str) -> 'FrozenPrefix | None':
        """A prefix that gives another detector what this one remembers, if it makes the same.

        Args:
            other (Reader): Of a detector of the same config, frozen as a whole.
            digest (str): This prefix's.
        """
        names = {module: name for name, module in self.reader.detector.named_modules()}
        prefix = FrozenPrefix(other, 0, self.seen, [
            link._replace(module=other.detector.get_submodule(names[link.module]))
            for link in self.links], self.key)
        return prefix if prefix.digest == digest else None

    @contextmanager
    def of(self, images: Tensor, samples: Sequence) -> Iterator[None]:
        """Within the block, the links give what they make of these images, at once.

        What is not remembered yet runs first; where there is no more room, nothing changes.

        Args:
            images (Tensor): Shape (images, 3, H, W).
            samples (list[DetDataSample]): Their meta information.
        """
        with self.recalled(samples) if self.remember(images, samples) else nullcontext():
            yield

    @contextmanager
    def recalled(self, samples: Sequence) -> Iterator[None]:
        """Within the block, the links give what they made of these images."""
        seen = [self.seen[key] for key in map(self.key, samples)]
        for number, link in enumerate(self.links):
            link.module.forward = _recall([each[number] for each in seen])
        try:
            yield
        finally:
            for link in self.links:
                del link.module.forward

    def remember(self, images: Tensor, samples: Sequence) -> bool:
        """Runs what is not remembered yet; whether all of these images are remembered then."""
        keys = list(map(self.key, samples))
        if not self.links or None in keys:
            return False
        new = [i for i, key in enumerate(keys) if key not in self.seen]
        if new and self.size >= self.limit:
            return False
        if new:
            made = self._run(images[new], [samples[i] for i in new])
            for row, i in enumerate(new):
                self.seen[keys[i]] = [self._kept(number, outputs, row)
                                      for number, outputs in enumerate(made)]
                self.size += _bytes(self.seen[keys[i]])
        return True

    @torch.no_grad()
    def _run(self, images: Tensor, samples: list) -> list[Any]:
        """What each link makes of images."""
        made: list[Any] = [None] * len(self.links)

        def note(number: int) -> Callable:
            def hook(module: nn.Module, args: tuple, outputs: Any) -> None:
                made[number] = outputs
                if number == len(made) - 1:
                    raise _Made
            return hook

        handles = [link.module.register_forward_hook(note(number))
                   for number, link in enumerate(self.links)]
        try:
            self.reader.read(Batch(self.reader.features(images), samples, images))
        except _Made:
            pass
        finally:
            for handle in handles:
                handle.remove()
        return made

    def _kept(self, number: int, outputs: Any, row: int) -> Any:
        """What a link made of one image, or zeros where nothing will read it."""
        read = self.links[number].read_later or number == len(self.links) - 1
        return _map(outputs, lambda part: part[row].clone() if read
                    else part.new_zeros(()).expand(part.shape[1:]))


def _bytes(made: Sequence[Any]) -> int:
    parts = [part for outputs in made
             for part in ([outputs] if isinstance(outputs, Tensor) else outputs)]
    return sum(part.untyped_storage().nbytes() for part in parts)


def _map(outputs: Any, function: Callable[[Tensor], Tensor]) -> Any:
    """A tensor, or several, each changed."""
    return function(outputs) if isinstance(outputs, Tensor) else tuple(map(function, outputs))


def _recall(made: Sequence[Any]) -> Callable[..., Any]:
    """A module's forward that gives what was made of these images."""
    def forward(*_, **__):
        return (_stacked(made) if isinstance(made[0], Tensor)
                else tuple(map(_stacked, zip(*made))))
    return forward


def _stacked(parts: Sequence[Tensor]) -> Tensor:
    first = parts[0]
    if first.dim() and not any(first.stride()):  # zeros that nothing reads
        return first.expand(len(parts), *first.shape)
    return torch.stack(parts)
