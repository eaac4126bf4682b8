from collections.abc import Iterator, Sequence
from typing import Any

import torch
from sklearn.metrics import roc_auc_score

from gslora_det.attacks.base import Attack, Target
from gslora_det.readers import Reader, reader_of
from gslora_det.readers.prefix import FrozenPrefix
from gslora_det.registry import ATTACKS


@ATTACKS.register_module()
class Membership(Attack):
    """Tells images that were trained on from new ones by the detector's own loss.

    All of them show the classes; other objects are ignored. What training and validation images
    differ in is told, too: only what is above the oracle's value betrays training.
    """
    name = 'membership'
    title = 'training images told from new ones by the loss'
    measures = 'AUC'
    chance = 50.0

    def run(self, target: Target, fraction: float = 0.3) -> list[dict]:
        """Compares losses, see :meth:`Attack.run`.

        Args:
            target (Target): What is attacked.
            fraction (float): Share of the training images that show the classes.

        Returns:
            list[dict]: One point: ``AUC``, the area under the ROC curve, whichever of both have
            the lower losses.
        """
        material, detector = self.material, self.material.detector(target.weights)
        reader, prefix = reader_of(detector), material.prefix(detector)
        material.seed_all()  # of the regions that a two-stage detector samples
        old, new = (list(self._losses(reader, prefix, dataset, indices, target.classes))
                    for dataset, indices in (
                        (material.train, material.share(target.classes, fraction)),
                        (material.held_out, range(len(material.held_out)))))
        if not old or not new:
            return []
        area = roc_auc_score([0] * len(old) + [1] * len(new), old + new)
        return [dict(x=0, AUC=round(100 * float(max(area, 1 - area)), 2))]

    @torch.no_grad()
    def _losses(self, reader: Reader, prefix: FrozenPrefix, dataset: Any, indices: Sequence[int],
                classes: Sequence[int]) -> Iterator[float]:
        """The loss of each image that shows the classes."""
        for images, samples in self.material.batches(dataset, indices, 32, reader.detector):
            for sample in samples:
                objects = sample.gt_instances
                wanted = torch.isin(objects.labels, objects.labels.new_tensor(classes))
                sample.gt_instances = objects[wanted]
                sample.ignored_instances = objects.cat([
                    sample.ignored_instances, objects[~wanted]])
            with prefix.of(images, samples):
                batch = reader.batch(images, samples)
                readings = reader.read(*(batch.pick([i]) for i in range(len(batch))))
            for reading in readings:
                if len(reading.samples[0].gt_instances):
                    yield float(sum(reader.losses(reading).terms.values()))
