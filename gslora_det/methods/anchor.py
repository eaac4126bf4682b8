"""A quadratic pull back to the weights before the task."""

import torch
from torch import Tensor, nn

from gslora_det.methods.base import OriginalDetector, Part, trained_parameters


class Anchor(Part):
    """``sum_n O_n (theta_n - theta*_n)^2``, with theta* the weights that the task starts from.

    (GS-LoRA's code adds the pulls to the weights of all earlier tasks; in a single step there
    is no difference.)

    Attributes:
        importance (dict[str, Tensor], optional): O, by parameter; 1 where there is none.
    """
    importance: dict[str, Tensor] | None = None

    def prepare(self, detector: nn.Module, original_detector: OriginalDetector) -> None:
        """Keeps the weights."""
        self.weights = {name: parameter.detach().clone()
                        for name, parameter in trained_parameters(detector).items()}

    def pull(self, detector: nn.Module) -> Tensor:
        """The sum, a scalar."""
        parameters = dict(detector.named_parameters())
        pulls = []
        for name, start in self.weights.items():
            parameter = parameters[name]
            self.weights[name] = start = start.to(parameter.device)
            squares = (parameter - start).square()
            if self.importance is not None:
                squares = squares * self.importance[name].to(parameter.device)
            pulls.append(squares.sum())
        return torch.stack(pulls).sum()

    def state_dict(self) -> dict:
        """The importances."""
        return dict(importance=self.importance)

    def load_state_dict(self, state: dict) -> None:
        """Restores :meth:`state_dict`."""
        self.importance = state['importance']
