"""What L2, EWC and MAS share: wrong labels, near the weights before the task."""

from torch import Tensor, nn

from gslora_det.methods.anchor import Anchor
from gslora_det.methods.base import Images
from gslora_det.methods.fine_tuning import FineTuning
from gslora_det.methods.importance import importance
from gslora_det.methods.relabel import Relabel
from gslora_det.options import COUNT, NOT_NEGATIVE, require
from gslora_det.readers import Batch, join, reader_of


class Anchored(FineTuning):
    """``L = L_det(retain and relabelled forget) + weight sum_n O_n (theta_n - theta*_n)^2``.

    Args:
        weight (float): Weight of the pull to the weights before the task.
        relabel (str): What forgotten objects are taken for: ``'background'``, they are left out;
            ``'random'``, a retained class; or ``'sink'``, a class of its own in training only,
            see :class:`Relabel`.
        **kwargs: See :class:`FineTuning`.
    """

    def __init__(self, weight: float, relabel: str = 'background', **kwargs) -> None:
        super().__init__(**kwargs)
        require(type(self).__name__, weight=(weight, NOT_NEGATIVE))
        self.weight = weight
        self.relabel, self.anchor = self.parts = Relabel(relabel, self), Anchor()

    def loss(self, detector: nn.Module, forget: Batch, retain: Batch) -> dict[str, Tensor]:
        """The detector's loss on both batches as one, and the pull."""
        reader = reader_of(detector)
        union, = reader.read(join(self.relabel(forget), retain))
        terms, _ = reader.losses(union, self.aux_losses, self.relabel.sink)
        return dict(terms, anchor_loss=self.weight * self.anchor.pull(detector))


class Weighted(Anchored):
    """With importances that are measured on retain data before the task.

    Args:
        num_images (int): Images to measure on.
        **kwargs: See :class:`Anchored`.

    Attributes:
        power (int): Of the gradients, see :func:`importance`.
    """
    power = 1

    def __init__(self, num_images: int = 64, **kwargs) -> None:
        super().__init__(**kwargs)
        require(type(self).__name__, num_images=(num_images, COUNT))
        self.num_images = num_images

    def before_task(self, detector: nn.Module, images: Images) -> None:
        """Measures the importances."""
        self.anchor.importance = importance(
            detector, images('retain', self.num_images),
            lambda batch: self.measured(detector, batch), self.power)

    def measured(self, detector: nn.Module, batch: Batch) -> Tensor:
        """The scalar of an image whose gradients are the importances."""
        raise NotImplementedError
