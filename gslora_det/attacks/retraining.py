"""Attacks that train a part of the detector on labelled images."""

from collections.abc import Sequence

import torch
from mmengine.utils.dl_utils.parrots_wrapper import _BatchNorm
from torch import nn

from gslora_det.attacks.base import Attack, Target
from gslora_det.readers import Reader, reader_of


class Retraining(Attack):
    """Trains with the detector's own loss, with true labels, and measures after some epochs.

    Attributes:
        batch_size (int): Images a step.
        aux_losses (bool): Supervise a DETR's other decoder layers, too.
        clip (float): Largest norm of a gradient.
    """
    x = 'epochs'
    trains = True
    finds_hidden = True
    controls = ('original', 'oracle', 'head mask', 'shuffled labels', 'retained classes')
    batch_size = 16
    aux_losses = True
    clip = 0.5

    def trained(self, reader: Reader) -> list[nn.Module]:
        """The modules that train; all others are frozen."""
        raise NotImplementedError

    def run(self, target: Target, lr: float = 1e-4, epochs: Sequence[int] = (1, 3, 10)
            ) -> list[dict]:
        """Trains and measures, see :meth:`Attack.run`.

        Args:
            target (Target): What is attacked.
            lr (float): Learning rate of AdamW, constant.
            epochs (list[int]): After which to measure.
        """
        return self.train(target, self.images(target), lr, epochs)

    def train(self, target: Target, indices: Sequence[int], lr: float, epochs: Sequence[int]
              ) -> list[dict]:
        """Trains on some training images; gives AP after some epochs."""
        material, detector = self.material, self.material.detector(target.weights)
        reader = reader_of(detector)
        for module in self.trained(reader):
            module.requires_grad_(True)
        weights = [p for p in detector.parameters() if p.requires_grad]
        prefix = material.prefix(detector)
        optimizer = torch.optim.AdamW(weights, lr=lr, weight_decay=1e-4)
        chance = material.generator()
        wrong = _Shuffled(target.classes, chance) if target.shuffled else None
        curve, order = [], list(indices)
        material.seed_all()
        for epoch in range(1, max(epochs) + 1):
            _train_only(detector)
            chance.shuffle(order)
            for images, samples in material.batches(material.train, order, self.batch_size,
                                                    detector):
                if wrong:
                    wrong.relabel(samples)
                with prefix.of(images, samples):
                    reading, = reader.read(reader.batch(images, samples))
                losses = reader.losses(reading, self.aux_losses).terms
                optimizer.zero_grad()
                sum(losses.values()).backward()
                nn.utils.clip_grad_norm_(weights, self.clip)
                optimizer.step()
            if epoch in epochs:
                curve.append(dict(
                    x=epoch, **material.measure(detector, prefix, target.classes)))
        return curve


class _Shuffled:
    """Gives each object of some classes a label drawn from them, always the same one."""

    def __init__(self, classes: Sequence[int], chance) -> None:
        self.classes, self.chance, self.drawn = list(classes), chance, {}

    def relabel(self, samples: list) -> None:
        for sample in samples:
            objects = sample.gt_instances
            labels = objects.labels.tolist()
            for i, label in enumerate(labels):
                if label in self.classes:
                    labels[i] = self.drawn.setdefault((sample.img_id, i),
                                                      self.chance.choice(self.classes))
            objects.labels = objects.labels.new_tensor(labels)


def _train_only(detector: nn.Module) -> None:
    """Training mode where something trains; batch norms keep their statistics."""
    detector.eval()
    for module in detector.modules():
        if any(p.requires_grad for p in module.parameters()) and not isinstance(
                module, _BatchNorm):
            module.training = True
