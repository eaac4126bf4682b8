"""SCRUB-S: SCRUB with smoothed weights (arXiv 2302.09880)."""

import torch
from torch import Tensor, nn

from gslora_det.methods.base import OriginalDetector, trained_parameters
from gslora_det.methods.scrub import SCRUB
from gslora_det.options import COUNT, NOT_NEGATIVE, SHARE, require
from gslora_det.readers import Batch
from gslora_det.registry import METHODS


@METHODS.register_module()
class SCRUBS(SCRUB):
    """``L = L_SCRUB + smoothing sum_n ||theta_n - mean_n||_F`` over parameters n.

    ``mean`` is a running mean of the weights.

    Args:
        smoothing (float): Weight of the smoothing; 0.05 to 0.1 in GS-LoRA's
            classification scripts.
        decay (float): The running mean becomes ``decay mean + (1 - decay) theta``, as in
            those scripts.
        interval (int): Steps between two updates of the mean.
        **kwargs: See :class:`SCRUB`.
    """

    def __init__(self, smoothing: float = 0.05, decay: float = 0.9, interval: int = 10,
                 **kwargs) -> None:
        super().__init__(**kwargs)
        require('SCRUBS', smoothing=(smoothing, NOT_NEGATIVE), decay=(decay, SHARE),
                interval=(interval, COUNT))
        self.smoothing = smoothing
        self.decay = decay
        self.interval = interval
        self.steps = 0

    def prepare(self, detector: nn.Module, original_detector: OriginalDetector) -> None:
        """As SCRUB; the mean starts at the weights."""
        super().prepare(detector, original_detector)
        self.mean = {name: parameter.detach().clone()
                     for name, parameter in trained_parameters(detector).items()}

    def loss(self, detector: nn.Module, forget: Batch, retain: Batch) -> dict[str, Tensor]:
        """The terms of SCRUB and the smoothing."""
        terms = super().loss(detector, forget, retain)
        distances = []
        for name, parameter in trained_parameters(detector).items():
            self.mean[name] = self.mean[name].to(parameter.device)
            # The gradient of a norm is not defined at 0, where training starts.
            distances.append((parameter - self.mean[name]).square().sum().clamp(
                min=1e-12).sqrt())
        terms['smoothing_loss'] = self.smoothing * torch.stack(distances).sum()
        return terms

    @torch.no_grad()
    def after_step(self, detector: nn.Module, lr: float, progress: float) -> None:
        """Counts the steps and moves the mean."""
        super().after_step(detector, lr, progress)
        self.steps += 1
        if self.steps % self.interval == 0:
            for name, parameter in trained_parameters(detector).items():
                self.mean[name].lerp_(parameter, 1 - self.decay)

    def state_dict(self) -> dict:
        """SCRUB's state, the number of steps and the mean."""
        return dict(super().state_dict(), steps=self.steps, mean=self.mean)

    def load_state_dict(self, state: dict) -> None:
        """Restores :meth:`state_dict`."""
        super().load_state_dict(state)
        self.steps = state['steps']
        self.mean = state['mean']
