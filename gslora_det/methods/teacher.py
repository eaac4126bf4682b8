"""What a frozen detector says about the images of a step, and its memory."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property

import torch
from torch import Tensor, nn

from gslora_det.methods.base import Method, OriginalDetector, Part
from gslora_det.options import FLAG, require
from gslora_det.readers import Batch, Reading, join, joined, reader_of


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Within the block, the module is in evaluation mode; its flags are restored."""
    training = [m for m in module.modules() if m.training]
    module.eval()
    try:
        yield
    finally:
        for m in training:
            m.training = True


@torch.no_grad()
def quiet_reading(detector: nn.Module, batch: Batch, places: Tensor | None = None) -> Reading:
    """What a detector says where it is worth comparing, without dropout or gradients."""
    reader = reader_of(detector)
    with evaluating(detector):
        reading, = reader.read(batch, places=places)
    return replace(reader.telling(reading), outputs=None)


class Teacher:
    """A frozen detector that later ones are compared with, place by place.

    It looks where the one looks that it is compared with: the places that a two-stage
    detector picks itself may be of other objects.

    Args:
        detector (nn.Module): The detector; it is not changed.
        share_stem (bool): Use the features of the student's backbone and neck, which are
            frozen, instead of computing them from the images.
    """

    def __init__(self, detector: nn.Module, share_stem: bool = False) -> None:
        self.detector = detector
        self.share_stem = share_stem

    @torch.no_grad()
    def features(self, batch: Batch) -> tuple[Tensor, ...]:
        """What the teacher's own backbone and neck make of the images."""
        return reader_of(self.detector.to(batch.images.device)).features(batch.images)

    @torch.no_grad()
    def __call__(self, batch: Batch, places: Tensor | None = None) -> Reading:
        detector = self.detector.to(batch.images.device)
        if not self.share_stem or batch.features is None:
            batch = reader_of(detector).batch(batch.images, batch.data_samples)
        return quiet_reading(detector, batch, places)


class Step:
    """What a step has of all its images together, each made once and only if it is asked for.

    Args:
        readings (list[Reading]): What the detector that trains says of each batch.
        batches (list[Batch]): The batches.
    """

    def __init__(self, readings: Sequence[Reading], batches: Sequence[Batch]) -> None:
        self._readings, self._batches = readings, batches
        self._said: dict[Callable, Reading] = {}

    @cached_property
    def student(self) -> Reading:
        """What the detector that trains says."""
        return joined(self._readings)

    def said_by(self, teacher: Callable[..., Reading]) -> Reading:
        """What a teacher says where the student looks."""
        if teacher not in self._said:
            self._said[teacher] = teacher(self._batch, self.student.places)
        return self._said[teacher]

    @cached_property
    def _batch(self) -> Batch:
        return join(*self._batches)


class Memory:
    """Remembers a frozen detector's readings by image, at each size that it is padded to.

    Right only where an image looks the same every time, that is, where the training
    pipeline has no random augmentation.

    Args:
        run (callable): Gives the reading of a batch.
        detector (nn.Module): The detector that they are compared with.

    Raises:
        ValueError: It has two stages: its places change as it trains.
    """

    def __init__(self, run: Callable[..., Reading], detector: nn.Module) -> None:
        self.reader = reader_of(detector)
        if self.reader.moving_places:
            raise ValueError('cache_teachers does not go with a two-stage detector, whose '
                             'places change as it trains: leave it out')
        self.run = run
        self.seen: dict[tuple, dict] = {}

    def __call__(self, batch: Batch, places: None = None) -> Reading:
        """The reading of all images of the batch, in order."""
        samples = batch.data_samples
        keys = [(s.img_id, tuple(s.img_shape), tuple(s.batch_input_shape)) for s in samples]
        new = [i for i, key in enumerate(keys) if key not in self.seen]
        if new:
            said = self.run(batch.pick(new))
            parts = {name: value for name, value in vars(said).items()
                     if isinstance(value, Tensor) and name != 'odds'}
            for row, i in enumerate(new):
                self.seen[keys[i]] = {k: v[row].clone() for k, v in parts.items()}
        seen = [self.seen[key] for key in keys]
        return Reading(softmax=self.reader.softmax, samples=samples, **{
            name: torch.stack([each[name] for each in seen]) for name in seen[0]})


class Original(Part):
    """A teacher: the detector before any erasure.

    Only classes that are still retained should be compared on retain data: of classes erased
    earlier, the original would bring back what is gone.

    Args:
        cache (bool): Remember by image what the teacher says. Only right where the training
            pipeline has no random augmentation.
        method (Method): Whose part this is.
    """

    def __init__(self, cache: bool, method: Method) -> None:
        require(type(method).__name__, cache_teachers=(cache, FLAG))
        self.cache = cache
        self.retained = method.retained

    def prepare(self, detector: nn.Module, original_detector: OriginalDetector) -> None:
        """Keeps the teacher."""
        self.teacher = Teacher(original_detector())
        self.teach = Memory(self.teacher, detector) if self.cache else self.teacher
        self.reader = reader_of(detector)

    def readings(self, reading: Reading, batch: Batch) -> tuple[Reading, Reading]:
        """At the same places: the student's, the teacher's."""
        taught = self.teach(batch, reading.places)
        return self.reader.at(reading, taught), taught

    def retained_odds(self, reading: Reading, batch: Batch) -> tuple[Tensor, Tensor]:
        """Log-odds of the retained classes, (images, places, classes): student's, teacher's."""
        student, taught = self.readings(reading, batch)
        return student.odds[..., self.retained], taught.odds[..., self.retained]

    def state_dict(self) -> dict:
        """What the teacher said so far: a resumed run compares with the same numbers."""
        return dict(seen=self.teach.seen) if self.cache else {}

    def load_state_dict(self, state: dict) -> None:
        """Restores :meth:`state_dict`."""
        if self.cache:
            self.teach.seen = state['seen']
