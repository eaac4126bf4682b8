"""What an attacker has: images, and a way to measure what came back."""

import copy
import math
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from mmdet.registry import DATASETS, METRICS, MODELS
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope
from torch import Tensor, nn

from gslora_det.checks.annotations import Annotations
from gslora_det.class_names import labels_of, resolve_classes
from gslora_det.datasets.branch_dataset import CROWD
from gslora_det.datasets.random_steps import random_steps
from gslora_det.datasets.selection import candidate_images, draw_buffer
from gslora_det.engine.task_config import split_evaluator
from gslora_det.quiet import quiet
from gslora_det.readers import reader_of
from gslora_det.readers.prefix import FrozenPrefix

Predict = Callable[[Tensor, list[DetDataSample]], list[DetDataSample]]


class Material:
    """A config's images and detectors, for attacks on one task.

    Args:
        cfg (Config): Names ``model``, ``train_dataloader``, ``val_dataloader`` and
            ``val_evaluator``.
        erased (list[str]): All classes that were erased so far.
        unmeasured (list): Retained classes that are not measured, by name or category id.
        first (list[str]): Those of the erased classes that are also measured alone.
        seed (int): Of all that is drawn.
        cache_gib (float): Room for what frozen modules make of images.

    Attributes:
        classes (tuple[str]): All classes, by label.
        erased (list[int]): Labels of the erased classes.
        retained (list[int]): Labels of all others.
        known (list[int]): Those of the retained classes that are measured, and have training and
            validation objects.
        train (BaseDetDataset): The training images, with all annotations.
        val (BaseDetDataset): The validation images.
        held_out (BaseDetDataset): The same as training would show them, with objects where the
            image has them.
    """

    def __init__(self, cfg: Config, erased: Sequence[str], unmeasured: Sequence = (),
                 first: Sequence[str] = (), seed: int = 0, cache_gib: float = 2.0) -> None:
        init_default_scope(cfg.get('default_scope', 'mmdet'))
        cfg = copy.deepcopy(cfg)
        self._annotated = Annotations.of(cfg, 'train_dataloader')
        shown = Annotations.of(cfg, 'val_dataloader')
        self._evaluator = shown.evaluator(cfg.val_evaluator, 'val_evaluator')
        with quiet():
            self.train = DATASETS.build(dict(
                cfg.train_dataloader.dataset, filter_cfg=dict(filter_empty_gt=False)))
            self.val = DATASETS.build(cfg.val_dataloader.dataset)
        self.held_out = copy.copy(self.val)
        self.held_out.pipeline = self.train.pipeline
        self.classes = tuple(self.train.metainfo['classes'])
        self.erased = labels_of(erased, self.classes)
        self.retained = [label for label in range(len(self.classes)) if label not in self.erased]
        unmeasured = unmeasured and resolve_classes(
            unmeasured, self.classes, list(self._annotated.ids.values()), 'missing')
        self._unmeasured, self._first = (labels_of(names, self.classes)
                                         for names in (unmeasured, first))
        self.known = [label for label in self.retained if label not in self._unmeasured
                      and all(each.ids[self.classes[label]] in each.boxed
                              for each in (self._annotated, shown))]
        self._infos = [self.train.get_data_info(i) for i in range(len(self.train))]
        self._model, self._val_batch = cfg.model, cfg.val_dataloader.batch_size
        self._seed = seed
        self._limit = 0 if random_steps(self.train) else cache_gib * 2**30
        self._seen: dict[str, dict] = {}

    def detector(self, weights: dict[str, Tensor]) -> nn.Module:
        """A frozen detector of these weights, on a GPU where there is one."""
        with quiet():
            detector = MODELS.build(copy.deepcopy(self._model))
        detector.load_state_dict(weights)
        device = 'cuda' if torch.cuda.is_available() else 'cpu'
        return detector.to(device).eval().requires_grad_(False)

    def prefix(self, detector: nn.Module) -> FrozenPrefix:
        """What runs before the first layer that trains, remembered for all such detectors."""
        prefix = FrozenPrefix(reader_of(detector), self._limit)
        digest = prefix.digest
        self._seen[digest] = known = self._seen.pop(digest, {})
        kept = FrozenPrefix(prefix.reader, self._limit, known)
        room = self._limit
        for other, seen in reversed([*self._seen.items()]):  # the last that was asked for first
            room -= FrozenPrefix(prefix.reader, 0, seen).size
            if room < 0 and seen is not known:
                del self._seen[other]
        return kept

    def share(self, classes: Iterable[int], fraction: float, without: Iterable[int] = ()
              ) -> list[int]:
        """Indices of a share of the training images that show any of the classes.

        Args:
            classes (list[int]): Labels.
            fraction (float): The share, in (0, 1].
            without (list[int]): Labels of classes that none of the images may show; where every
                image shows one, nothing is drawn.
        """
        return self._draw(classes, without, fraction=fraction)

    def shots(self, classes: Iterable[int], shots: int, without: Iterable[int] = ()
              ) -> list[int]:
        """Indices of so many training images of each class, which may show others, too.

        Args:
            classes (list[int]): Labels.
            shots (int): Images of each.
            without (list[int]): As of :meth:`share`.
        """
        return self._draw(classes, without, shots=shots)

    def batches(self, dataset: Any, indices: Sequence[int], size: int, detector: nn.Module
                ) -> Iterator[tuple[Tensor, list]]:
        """Images as the detector takes them, and their annotations.

        An image of which training's pipeline leaves nothing, as a random crop may, is left out.
        """
        # By index, a data set would show any other image instead, or raise, as is right of val.
        look = dataset.__getitem__ if dataset is self.val else dataset.prepare_data
        for start in range(0, len(indices), size):
            shown = [data for data in map(look, indices[start:start + size]) if data is not None]
            if shown:
                data = detector.data_preprocessor(pseudo_collate(shown), training=False)
                for sample in data['data_samples']:
                    if 'ignored_instances' in sample:  # a plain data set ignores nothing else
                        ignored = sample.ignored_instances
                        ignored.labels = torch.full_like(ignored.labels, CROWD)
                yield data['inputs'], data['data_samples']

    def measure(self, detector: nn.Module, prefix: FrozenPrefix, wanted: Sequence[int],
                predict: Predict | None = None) -> dict[str, float | None]:
        """AP of the wanted classes, and of those that are kept, in percent.

        Args:
            detector (nn.Module): What is measured.
            prefix (FrozenPrefix): See :meth:`prefix`.
            wanted (list[int]): Labels of the classes that an attack wants.
            predict (callable, optional): See :meth:`found`.

        Returns:
            dict: ``AP_forgotten``, ``AP_retained``, and ``AP_first`` of the first erased; None
            where there is nothing to measure, as of what is kept when all that is left is wanted.
        """
        kept = [label for label in self.retained if label not in (*wanted, *self._unmeasured)]
        groups = dict(forgotten=wanted, retained=kept)
        if self._first and list(wanted) == self.erased:
            groups['first'] = self._first
        metric = METRICS.build(split_evaluator(self._evaluator, {
            name: [self.classes[label] for label in labels] for name, labels in groups.items()}))
        metric.dataset_meta = self.val.metainfo
        for sample in self.found(detector, prefix, predict):
            metric.process({}, [sample.to_dict()])
        results = metric.evaluate(len(self.val))
        found = {f'AP_{name}': results[f'coco/AP_{name}'] for name in groups}
        return {name: None if math.isnan(ap) else round(100 * ap, 2)
                for name, ap in found.items()}

    @torch.no_grad()
    def found(self, detector: nn.Module, prefix: FrozenPrefix, predict: Predict | None = None
              ) -> Iterator[DetDataSample]:
        """The validation images in order, with what a detector finds there.

        Args:
            detector (nn.Module): The detector.
            prefix (FrozenPrefix): See :meth:`prefix`.
            predict (callable, optional): What to ask instead of ``detector.predict``.
        """
        detector.eval()
        for images, samples in self.batches(self.val, range(len(self.val)), self._val_batch,
                                            detector):
            with prefix.of(images, samples):
                found = (predict or detector.predict)(images, samples)
            yield from found

    def seed_all(self) -> None:
        """Seeds the generators of Python, NumPy and PyTorch, from which steps and losses draw."""
        random.seed(self._seed)
        np.random.seed(self._seed)
        torch.manual_seed(self._seed)

    def generator(self) -> random.Random:
        """A generator of its own for what one attack draws."""
        return random.Random(self._seed)

    def _draw(self, classes: Iterable[int], without: Iterable[int], **size) -> list[int]:
        wanted, hidden = ([self._annotated.ids[self.classes[label]] for label in labels]
                          for labels in (classes, without))
        barred = set(candidate_images(self._annotated.images, hidden))
        images = {key: shown - barred for key, shown in self._annotated.images.items()}
        if barred and not candidate_images(images, wanted):
            return []
        drawn = set(draw_buffer(images, wanted, self._seed, **size))
        return [i for i, info in enumerate(self._infos) if info['img_id'] in drawn]
