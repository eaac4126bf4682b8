"""DAMP: depth-aware modulation by projection (Hatami et al., arXiv 2604.15166)."""

from collections.abc import Sequence
from itertools import chain

import torch
from torch import Tensor, nn

from gslora_det.methods.base import Images, Method, OriginalDetector
from gslora_det.methods.objects import at_objects
from gslora_det.options import COUNT, SHARE, one_of, require
from gslora_det.readers import DETRReader, reader_of
from gslora_det.registry import METHODS


@METHODS.register_module()
class DAMP(Method):
    """Takes what is the forgotten classes' own out of what the layers read, in closed form.

    At each layer l of L, ``W <- W (I - a_l Q Q^T)``, Q an orthonormal basis of the residuals
    ``mu_f - R R^+ mu_f``: what is left of the mean input of each forgotten class without those
    of the retained ones, R. Biases stay. All is measured once, on the detector as it comes, and
    there is no training. On a DETR the layers are those of the decoder's FFNs and the last class
    layer, and the inputs those of the queries that are matched to objects. (The paper's abstract
    has residuals relative to the retained prototypes, and a_l that grow with depth and with how
    well a linear probe tells forgotten from retained inputs. That a residual is what their span
    leaves, that a_l is ``strength (2 accuracy - 1) l / L``, and the probe a ridge regression, is
    ours.)

    Args:
        strength (float): Share of the directions that is taken out, in (0, 1].
        scaling (str): ``'depth'``, as above, or ``'uniform'``, ``strength`` at every layer.
        span (float): What counts as the retained classes' own: their prototypes' main directions,
            up to this share of the sum of squares; by default all. Where the retained classes
            are nearly as many as the inputs' features, all leave next to nothing.
        num_images (int): Images of each branch to measure on.
        **kwargs: See :class:`Method`.

    Raises:
        ValueError: An option is out of range, or the detector has no Transformer decoder.
    """
    trains = False
    embeds = True

    def __init__(self, strength: float = 1.0, scaling: str = 'depth', span: float = 1.0,
                 num_images: int = 1000, **kwargs) -> None:
        super().__init__(**kwargs)
        require('DAMP', strength=(strength, SHARE), scaling=(scaling, one_of('depth', 'uniform')),
                span=(span, SHARE), num_images=(num_images, COUNT))
        self.strength = strength
        self.span = span
        self.scaling = scaling
        self.num_images = num_images

    def prepare(self, detector: nn.Module, original_detector: OriginalDetector) -> None:
        """Refuses other families."""
        if not isinstance(reader_of(detector), DETRReader):
            raise ValueError('DAMP edits the FFNs of a Transformer decoder, and '
                             f'{type(detector).__name__} has none: choose another method')

    @torch.no_grad()
    def before_task(self, detector: nn.Module, images: Images) -> None:
        """Measures all layers, then edits them."""
        ffns = [layer for each in detector.decoder.layers for layer in each.ffn.layers.modules()
                if isinstance(layer, nn.Linear)]
        layers = [*ffns, reader_of(detector).class_layers()[-1]]
        labels, *inputs = at_objects(detector, chain.from_iterable(
            images(branch, self.num_images) for branch in ('forget', 'retain')), ffns)
        forgotten = torch.isin(labels, torch.tensor(self.forgotten))
        for depth, (layer, given) in enumerate(zip(layers, inputs), 1):
            given, share = given.double(), self.strength
            if self.scaling == 'depth':
                share *= separability(given, forgotten) * depth / len(layers)
            means = (_means(given[of], labels[of]) for of in (forgotten, ~forgotten))
            project_out_(layer.weight, forget_directions(*means, self.span), share)


def _means(inputs: Tensor, labels: Tensor) -> Tensor:
    """Mean input of each class that there is, shape (classes, dim)."""
    return torch.stack([inputs[labels == label].mean(0) for label in labels.unique()]
                       or [inputs.new_zeros(inputs.shape[1])])


# Lengths below this share of the longest vector are rounding.
_ZERO = 1e-6


def forget_directions(forgotten: Tensor, retained: Tensor, span: float = 1.0) -> Tensor:
    """An orthonormal basis of what forgotten prototypes have beside the retained ones.

    Args:
        forgotten (Tensor): Prototypes of shape (F, dim).
        retained (Tensor): Prototypes of shape (R, dim).
        span (float): Of the singular directions of the retained ones, those count that hold this
            share of the sum of squares.

    Returns:
        Tensor: Shape (dim, K), K at most F. There are none where the retained span all.
    """
    _, lengths, rows = torch.linalg.svd(retained, full_matrices=False)
    energy = lengths.square()
    before = (energy.cumsum(0) - energy) / energy.sum()
    shared = rows[(before < span) & (lengths > _ZERO * lengths[0])]
    residuals = forgotten - forgotten @ shared.T @ shared
    _, lengths, rows = torch.linalg.svd(residuals, full_matrices=False)
    return rows[lengths > _ZERO * forgotten.norm(dim=1).max()].T


def project_out_(weight: Tensor, directions: Tensor, share: float) -> None:
    """``W <- W (I - share Q Q^T)`` in place, W of shape (out, dim), Q of shape (dim, K)."""
    directions = directions.to(weight)
    weight -= share * (weight @ directions) @ directions.T


def separability(inputs: Tensor, forgotten: Tensor, ridge: float = 1e-3) -> float:
    """How well a linear probe tells forgotten from retained inputs: 0 by chance, 1 always.

    ``2 accuracy - 1``, but not below 0, with the mean accuracy of both kinds. The probe is a
    ridge regression to -1 and 1 in which both kinds weigh the same; each input is judged by the
    one without it, ``(fitted - h y) / (1 - h)`` with h its leverage.

    Args:
        inputs (Tensor): Shape (M, dim).
        forgotten (Tensor): Which are, of shape (M, ).
        ridge (float): Weight of the probe's size, in mean squares of an input.
    """
    kinds: Sequence[Tensor] = forgotten, ~forgotten
    if not all(kind.any() for kind in kinds):
        return 0.0
    target = 2 * forgotten.to(inputs) - 1
    weight = sum(kind.to(inputs) / kind.sum() for kind in kinds) / 2
    spread = inputs - weight @ inputs
    spread = torch.cat([spread, spread.square().mean().sqrt().expand(len(spread), 1)], 1)
    gram = spread.T @ (weight[:, None] * spread)
    gram += ridge * gram.diagonal().mean() * torch.eye(len(gram)).to(gram)
    solved = torch.linalg.solve(gram, spread.T * weight)
    leverage = (spread.T * solved).sum(0)
    without = (spread @ (solved @ target) - leverage * target) / (1 - leverage)
    right: list[Tensor] = [(without * target > 0)[kind].double().mean() for kind in kinds]
    return max(0.0, float(right[0] + right[1] - 1))
