from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from sklearn.covariance import ledoit_wolf
from torch import Tensor, nn

from gslora_det.attacks.base import Attack, Target
from gslora_det.attacks.decoder_layers import (
    at_layer,
    matched_by_boxes,
    num_layers,
    predict_at,
)
from gslora_det.readers import Reader, reader_of
from gslora_det.readers.prefix import FrozenPrefix
from gslora_det.registry import ATTACKS


@ATTACKS.register_module()
class PrototypeHead(Attack):
    """Makes class rows from the mean embeddings of a few objects (arXiv 2506.01318).

    Nothing is trained, see :func:`prototype_rows`.
    """
    name = 'prototype head'
    title = 'class rows made of a few example objects'
    x = 'images a class'
    controls = ('oracle', 'head mask')  # the original's rows would be replaced, too
    embeds = True
    finds_hidden = True
    settings = {'': {}, 'a layer earlier': dict(earlier=1)}

    def misses(self, detector: nn.Module, earlier: int = 0) -> str | None:
        """One embedding a place, of as many decoder layers as are asked for."""
        if num_layers(reader_of(detector)) <= earlier:
            return 'an earlier decoder layer with class layers of its own'
        return super().misses(detector)

    @torch.no_grad()
    def run(self, target: Target, images: Sequence[int] = (1, 5, 20), earlier: int = 0
            ) -> list[dict]:
        """Replaces the rows of the classes and measures, see :meth:`Attack.run`.

        Args:
            target (Target): What is attacked.
            images (list[int]): Images that are drawn for each class, which may show others of
                them, too; as many without any are looked at beside them.
            earlier (int): So many decoder layers before the last; detections are its own then.
        """
        material, curve = self.material, []
        for number in images:
            detector = material.detector(target.weights)
            reader, prefix = reader_of(detector), material.prefix(detector)
            shown = material.shots(target.classes, number)
            others = material.shots(material.retained, number, target.classes)
            found = list(self._look(reader, prefix, sorted({
                *shown, *material.generator().sample(others, min(len(shown), len(others)))}),
                earlier))
            if found:
                self._replace(reader, reader.class_layers()[:-earlier or None],
                              *map(torch.cat, zip(*found)), target.classes)
            predict = predict_at(reader, num_layers(reader) - earlier) if earlier else None
            curve.append(dict(x=number, **material.measure(
                detector, prefix, target.classes, predict)))
        return curve

    def _look(self, reader: Reader, prefix: FrozenPrefix, indices: Sequence[int], earlier: int
              ) -> Iterator[tuple[Tensor, Tensor]]:
        """Embeddings of all places, shape (places, dim), and the classes of what is there."""
        for images, samples in self.material.batches(self.material.train, indices, 32,
                                                     reader.detector):
            with prefix.of(images, samples):
                reading, = reader.read(reader.batch(images, samples))
            if earlier:
                reading = at_layer(reading, -1 - earlier)
            yield reading.embeddings.flatten(0, 1), matched_by_boxes(reader, reading).flatten()

    def _replace(self, reader: Reader, layers: Sequence[nn.Module], embeddings: Tensor,
                 labels: Tensor, classes: Sequence[int]) -> None:
        """Replaces the rows of the classes that are there."""
        parts = embeddings.split(layers[-1].in_features, -1)  # one a stage of a cascade
        for layer, part in zip(layers[-len(parts):], parts):
            none = [rows[reader.background] if reader.softmax else 0
                    for rows in (layer.weight, layer.bias)]
            odds = F.linear(part, layer.weight - none[0], layer.bias - none[1])
            found, weight, bias = prototype_rows(part, labels, odds, classes,
                                                 self.material.retained)
            layer.weight[found], layer.bias[found] = weight + none[0], bias + none[1]


def prototype_rows(embeddings: Tensor, labels: Tensor, odds: Tensor, wanted: Sequence[int],
                   known: Sequence[int]) -> tuple[list[int], Tensor, Tensor]:
    """Rows that tell whether a class's prototype is nearer than the mean of all places.

    ``z_c(e) = a + (b - a) d_c (e - m) / d_c (m_c - m)`` with ``d_c = C^-1 (m_c - m)``,
    the mean m and covariance C (Ledoit's and Wolf's) of all embeddings, and the prototype m_c,
    the mean of the class's. It is linear in the difference of the squared distances to m and to
    m_c, in which embeddings vary by the same in all directions. To be on the scale of the other
    rows it is b at the prototype and a at m: b is the mean log-odds of objects of known classes
    as what they are, a that of known classes where there is none of them.

    Args:
        embeddings (Tensor): Of all places, shape (places, dim).
        labels (Tensor): The classes of what is there, shape (places,).
        odds (Tensor): The class layer's log-odds, shape (places, classes).
        wanted (list[int]): Classes to make rows of.
        known (list[int]): Classes whose rows are good.

    Returns:
        tuple: Those of the wanted classes that are shown, none where no known class is, by which
        to scale; their rows' weights, shape (classes, dim), and biases.
    """
    objects = torch.isin(labels, labels.new_tensor(known))
    shown = [label for label in wanted if objects.any() and (labels == label).any()]
    if not shown:
        return [], embeddings[:0], embeddings[:0, 0]
    high, low = odds[objects, labels[objects]].mean(), odds[~objects][:, known].mean()
    mean = embeddings.mean(0)
    away = torch.stack([embeddings[labels == label].mean(0) for label in shown]) - mean
    covariance, _ = ledoit_wolf(embeddings.cpu().double().numpy())
    directions = torch.linalg.solve(torch.from_numpy(covariance).to(away), away.T).T
    weight = (high - low) * directions / (directions * away).sum(1, keepdim=True)
    return shown, weight, low - weight @ mean
