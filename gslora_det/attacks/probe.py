from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmcv.ops import roi_align
from mmdet.structures.bbox import bbox2roi
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from gslora_det.attacks.base import Attack, Target
from gslora_det.attacks.decoder_layers import matched_by_boxes
from gslora_det.readers import Batch, DETRReader, Reader, reader_of
from gslora_det.registry import ATTACKS


@ATTACKS.register_module()
class Probe(Attack):
    """Tells each class from all other objects by a linear classifier of a layer's features.

    Layer 0 is what comes before the decoder, the mean over each true box of the finest level: of
    a DETR's encoder, of other families' neck. The layers of a DETR's decoder follow, with the
    embeddings of the queries that its own assigner matches by boxes alone.
    """
    name = 'probe'
    title = 'objects told apart by a linear classifier of a layer'
    x = 'decoder layer'
    controls = ('original', 'oracle')  # class rows do not matter
    measures = 'AUC'
    chance = 50.0
    finds_hidden = True

    def run(self, target: Target) -> list[dict]:
        """Trains on training images and tests on validation images, see :meth:`Attack.run`.

        Returns:
            list[dict]: For each layer the means over the classes of ``AUC``, the area under the
            ROC curve, and of ``balanced_accuracy``.
        """
        material = self.material
        reader = reader_of(material.detector(target.weights))
        known = self._features(reader, material.train, self.images(target))
        new = self._features(reader, material.held_out, range(len(material.held_out)))
        told = [told_apart(*before, *after, target.classes) for before, after in zip(known, new)]
        return [dict(x=layer, **found) for layer, found in enumerate(told) if found]

    @torch.no_grad()
    def _features(self, reader: Reader, dataset: Any, indices: Sequence[int]
                  ) -> list[list[np.ndarray]]:
        """Of each layer, the features of objects, shape (objects, dim), and their classes."""
        found = [layers(reader, reader.batch(images, samples))
                 for images, samples in self.material.batches(dataset, indices, 32,
                                                              reader.detector)]
        return [[torch.cat(parts).cpu().numpy() for parts in zip(*layer)]
                for layer in zip(*found)]


def layers(reader: Reader, batch: Batch) -> list[tuple]:
    """Of each layer, the features of a batch's objects, shape (objects, dim), and classes."""
    objects = [sample.gt_instances for sample in batch.data_samples]
    labels = torch.cat([each.labels for each in objects])
    level, further = batch.features[0], []
    if isinstance(reader, DETRReader):
        memories: list[Tensor] = []
        with reader.detector.encoder.register_forward_hook(
                lambda _, __, memory: memories.append(memory)):
            reading, = reader.read(batch)
        height, width = level.shape[-2:]
        level = memories[0][:, :height * width].mT.unflatten(2, (height, width))
        matched = matched_by_boxes(reader, reading)
        seen = matched < reader.num_classes
        further = [(states[seen], matched[seen]) for states in reading.outputs[2]]
    pooled = roi_align(level.contiguous(), bbox2roi([each.bboxes for each in objects]), 1,
                       level.shape[-1] / batch.images.shape[-1])
    return [(pooled.flatten(1), labels), *further]


def told_apart(features: np.ndarray, labels: np.ndarray, new: np.ndarray, truth: np.ndarray,
               classes: Sequence[int]) -> dict[str, float]:
    """How well logistic regression tells each class from all others, in percent.

    Args:
        features (ndarray): To train on, shape (objects, dim).
        labels (ndarray): Their classes.
        new (ndarray): To test on.
        truth (ndarray): Their classes.
        classes (list[int]): Those that are told from all others, one at a time.

    Returns:
        dict[str, float]: ``AUC`` and ``balanced_accuracy``, means over the classes that both show;
        nothing where there is none.
    """
    areas, accuracies = [], []
    for label in classes:
        if {len({*(given == label)}) for given in (labels, truth)} == {2}:  # some, not all
            probe = make_pipeline(StandardScaler(), LogisticRegression(
                class_weight='balanced', max_iter=1000)).fit(features, labels == label)
            areas.append(roc_auc_score(truth == label, probe.decision_function(new)))
            accuracies.append(balanced_accuracy_score(truth == label, probe.predict(new)))
    return {name: round(100 * float(np.mean(values)), 2) for name, values in (
        ('AUC', areas), ('balanced_accuracy', accuracies)) if values}
