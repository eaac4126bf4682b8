"""What L2, EWC and MAS share: a quadratic pull back to the weights before the task."""

from typing import Callable, Dict, Optional

import torch
from torch import Tensor, nn

from gslora_det.methods.base import Images, trained_parameters
from gslora_det.methods.fine_tuning import Relabelling
from gslora_det.models.detr_step import Batch
from gslora_det.options import COUNT, NOT_NEGATIVE, require


class Anchored(Relabelling):
    """``L = L_det(retain and relabelled forget) + weight sum_n O_n (theta_n - theta*_n)^2``.

    theta* are the weights that the task starts from and O_n their importances, 1 unless a
    subclass measures them. (GS-LoRA's code adds the pulls to the weights of all earlier
    tasks; in a single step there is no difference.)

    Args:
        weight (float): Weight of the pull.
        **kwargs: See :class:`Relabelling`.
    """

    def __init__(self, weight: float, **kwargs) -> None:
        super().__init__(**kwargs)
        require(type(self).__name__, weight=(weight, NOT_NEGATIVE))
        self.weight = weight
        self.importance: Optional[Dict[str, Tensor]] = None

    def prepare(self, detector: nn.Module,
                original_detector: Callable[..., nn.Module]) -> None:
        """Freezes what does not train and keeps the weights."""
        super().prepare(detector, original_detector)
        self.anchor = {name: parameter.detach().clone()
                       for name, parameter in trained_parameters(detector).items()}

    def loss(self, detector: nn.Module, forget: Batch, retain: Batch) -> Dict[str, Tensor]:
        """The detector's loss with wrong labels, and the pull."""
        terms = self.union_terms(detector, forget, retain)
        terms['anchor_loss'] = self.weight * self.pull(detector)
        return terms

    def pull(self, detector: nn.Module) -> Tensor:
        """``sum_n O_n (theta_n - theta*_n)^2``."""
        parameters = dict(detector.named_parameters())
        pulls = []
        for name, anchor in self.anchor.items():
            parameter = parameters[name]
            self.anchor[name] = anchor = anchor.to(parameter.device)
            squares = (parameter - anchor).square()
            if self.importance is not None:
                squares = squares * self.importance[name].to(parameter.device)
            pulls.append(squares.sum())
        return torch.stack(pulls).sum()


class Weighted(Anchored):
    """With importances that are measured on retain data before the task.

    Args:
        num_images (int): Images to measure on.
        **kwargs: See :class:`Anchored`.
    """

    def __init__(self, num_images: int = 64, **kwargs) -> None:
        super().__init__(**kwargs)
        require(type(self).__name__, num_images=(num_images, COUNT))
        self.images_measured = num_images

    def before_task(self, detector: nn.Module, images: Images) -> None:
        """Measures the importances."""
        self.importance = self.measure(detector, images('retain', self.images_measured))

    def measure(self, detector: nn.Module, images) -> Dict[str, Tensor]:
        """The importance of every parameter that trains."""
        raise NotImplementedError

    def state_dict(self) -> dict:
        """The importances."""
        return dict(importance=self.importance)

    def load_state_dict(self, state: dict) -> None:
        """Restores :meth:`state_dict`."""
        self.importance = state['importance']
