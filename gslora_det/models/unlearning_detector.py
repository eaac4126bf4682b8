"""The registered wrapper: a plain detector and the method that unlearns in it."""

import copy
import math
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from itertools import accumulate

import torch
import torch.nn.functional as F
from mmdet.registry import MODELS
from mmdet.structures import SampleList
from mmengine.model import BaseModel
from mmengine.utils.dl_utils.parrots_wrapper import _BatchNorm
from torch import Tensor, nn

from gslora_det.methods import Method
from gslora_det.quiet import hushed_logs
from gslora_det.readers import Batch, Reader, reader_of
from gslora_det.readers.prefix import FrozenPrefix, by_file
from gslora_det.registry import METHODS
from gslora_det.weights import load_weights


@MODELS.register_module()
class UnlearningDetector(BaseModel):
    """Trains a detector on paired forget and retain batches.

    Args:
        detector (dict): Config of an MMDet detector of a family that a reader knows.
        method (dict): Config of a method in :data:`gslora_det.registry.METHODS`.
        weights (dict[str, Tensor]): Those that this task starts from, loaded strictly.
        original (dict[str, Tensor], optional): Those of the detector before any erasure, for
            methods that compare with it. ``weights`` by default.

    Attributes:
        detector (BaseDetector): The plain detector, with whatever the method added.
        method (Method): What trains, and on which loss.
        num_parameters (int): Size of the plain detector.

    Raises:
        CheckpointError: The weights do not fit the detector.
        ValueError: No reader knows the detector, or an option does not fit.
    """

    def __init__(self, detector: dict, method: dict, weights: dict[str, Tensor],
                 original: dict[str, Tensor] | None = None) -> None:
        super().__init__(dict(type='MultiBranchDataPreprocessor',
                              data_preprocessor=detector['data_preprocessor']))
        self._seen: dict[str, dict] | None = None
        self._room = 0.0
        self._teachers: list[nn.Module] = []
        self.detector = MODELS.build(copy.deepcopy(detector))
        self.method = METHODS.build(method)
        self._check(self.method, len(method['classes']))
        if self.method.fresh:
            with hushed_logs():  # MMEngine logs four lines a parameter
                self.detector.init_weights()
        else:
            load_weights(self.detector, weights)

        self.num_parameters = sum(p.numel() for p in self.detector.parameters())

        def original_detector(share_stem: bool = False) -> nn.Module:
            stem = self.reader.stem() if share_stem and self._has_stem_of(original) else []
            teacher = copy.deepcopy(self.detector, {id(module): module for module in stem})
            load_weights(teacher, original or weights)
            self._teachers.append(teacher)
            return teacher.eval().requires_grad_(False)

        self.method.prepare(self.detector, original_detector)

    @property
    def reader(self) -> Reader:
        """What methods know of the detector."""
        return reader_of(self.detector)

    def _check(self, method: Method, num_classes: int) -> None:
        reader, name = self.reader, type(self.detector).__name__
        if reader.num_classes != num_classes:
            raise ValueError(f'model.{reader.head_name}.num_classes is {reader.num_classes} and '
                             f'the data set names {num_classes} classes: both must be the classes '
                             'that the detector was trained on')
        if method.embeds and not reader.embeds:
            raise ValueError(f'{type(method).__name__} with these options needs one embedding a '
                             f'place, and the class layer of {name} reads none: use GSLoRA, or '
                             "relabel='background'")

    def _has_stem_of(self, original: dict[str, Tensor] | None) -> bool:
        """Whether an earlier task left backbone and neck alone."""
        return not original or all(
            torch.equal(value, original[name].to(value))
            for name, value in self.detector.state_dict().items()
            if name.startswith(('backbone.', 'neck.')))

    def num_trainable(self) -> int:
        """Number of parameters that the method trains."""
        if not self.method.trains:
            return 0
        return sum(p.numel() for p in self.detector.parameters() if p.requires_grad)

    def init_weights(self) -> None:
        """Does nothing: the weights are loaded, never initialised."""

    def train(self, mode: bool = True) -> 'UnlearningDetector':
        """As usual, but the statistics of frozen batch norms stay frozen."""
        changes = mode != self.training
        super().train(mode)
        for module in self.detector.modules():
            if isinstance(module, _BatchNorm) and not any(
                    p.requires_grad for p in module.parameters()):
                module.eval()
        if changes:  # MMEngine calls this before each step, too
            self._look_what_is_frozen()
        return self

    def remember(self, seen: dict[str, dict], room: float) -> None:
        """Lets what stands before the first layer that trains run once for an image.

        Args:
            seen (dict): What is remembered, for all tasks of a sequence.
            room (float): Bytes to use. 0 where an image looks different each time: what is
                remembered of it is forgotten after the step.
        """
        self._seen, self._room = seen, room
        self.train(self.training)  # batch norms, too
        self._look_what_is_frozen()

    def _look_what_is_frozen(self) -> None:
        if self._seen is None:
            return
        prefix = FrozenPrefix(self.reader, self._room)
        digest = prefix.digest
        if digest not in self._seen:  # weights that were frozen have changed
            self._seen.clear()
        self.detector.prefix = FrozenPrefix(
            prefix.reader, self._room, self._seen.setdefault(digest, {}), prefix.links,
            by_file if self._room else id)
        for teacher in self._teachers:
            teacher.prefix = self.detector.prefix.recalled_by(reader_of(teacher), digest)

    def forward(self, inputs, data_samples=None, mode: str = 'tensor'):
        """MMEngine's entry: ``mode`` is 'loss', 'predict' or 'tensor'."""
        if mode == 'loss':
            return self.loss(inputs, data_samples)
        prefix = vars(self.detector).get('prefix')
        with prefix.of(inputs, data_samples) if prefix and data_samples else nullcontext():
            return self.detector(inputs, data_samples, mode)

    def loss(self, inputs: dict[str, Tensor],
             data_samples: dict[str, SampleList]) -> dict[str, Tensor]:
        """The method's loss terms on a pair of batches.

        Args:
            inputs (dict[str, Tensor]): Images of ``'forget'`` and ``'retain'``, each of
                shape (images, 3, H, W).
            data_samples (dict[str, list[DetDataSample]]): Their annotations.

        Returns:
            dict[str, Tensor]: Scalars; the keys that contain ``loss`` add up to the
            total, the others are for the log.
        """
        with self._remembered_in_a_step():
            batches = self.extract(inputs, data_samples)
            return self.method.loss(self.detector, batches.get('forget'), batches.get('retain'))

    @contextmanager
    def _remembered_in_a_step(self) -> Iterator[None]:
        """Where images change, the detector and its teachers still share what is frozen."""
        prefix = vars(self.detector).get('prefix')
        if self._room or not prefix or not prefix.beyond_stem:
            yield
            return
        prefix.limit = math.inf
        try:
            yield
        finally:
            prefix.seen.clear()
            prefix.limit = prefix.size = 0

    def extract(self, inputs: dict[str, Tensor],
                data_samples: dict[str, SampleList]) -> dict[str, Batch]:
        """Runs backbone and neck once over the branches that the method looks at.

        They are padded to one size first. Where nothing in backbone and neck trains, no
        graph is recorded.
        """
        branches = self.method.branches
        images = [inputs[branch] for branch in branches]
        height = max(i.shape[-2] for i in images)
        width = max(i.shape[-1] for i in images)
        images = torch.cat([F.pad(i, (0, width - i.shape[-1], 0, height - i.shape[-2]))
                            for i in images])
        samples = [sample for branch in branches for sample in data_samples[branch]]
        for sample in samples:
            sample.set_metainfo(dict(batch_input_shape=(height, width)))
        reader = self.reader
        trains = any(p.requires_grad for part in reader.stem() for p in part.parameters())
        with torch.set_grad_enabled(trains):
            whole = reader.batch(images, samples)
        ends = accumulate(len(data_samples[branch]) for branch in branches)
        return {branch: whole.pick(slice(end - len(data_samples[branch]), end))
                for branch, end in zip(branches, ends)}
