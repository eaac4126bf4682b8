"""SSD: selective synaptic dampening (Foster et al., arXiv 2308.07707)."""

import torch
from torch import nn

from gslora_det.methods.base import Images, Method
from gslora_det.methods.importance import detection_total, importance
from gslora_det.options import COUNT, POSITIVE, Rule, require
from gslora_det.registry import METHODS

_ALPHA = Rule('a number above 0, or inf', lambda v: isinstance(v, (int, float)) and v > 0)


@METHODS.register_module()
class SSD(Method):
    """Dampens the weights that matter more to forget data than to retain data.

    Where ``I_forget > alpha I_retain``, ``theta <- theta min(lambda I_retain / I_forget,
    1)``, with I the diagonal of the empirical Fisher information. There is no training. (The
    paper compares with all training data; here retain data stand for them.)

    Args:
        alpha (float): Which weights are dampened; the larger the fewer. 10 in the paper.
        lambda_ (float): How much they are dampened; the larger the less. 1 in the paper.
        num_images (int): Images of each branch to measure on.
        **kwargs: See :class:`Method`.
    """
    trains = False

    def __init__(self, alpha: float = 10.0, lambda_: float = 1.0, num_images: int = 64,
                 **kwargs) -> None:
        super().__init__(**kwargs)
        require('SSD', alpha=(alpha, _ALPHA), lambda_=(lambda_, POSITIVE),
                num_images=(num_images, COUNT))
        self.alpha = alpha
        self.lambda_ = lambda_
        self.num_images = num_images

    def before_task(self, detector: nn.Module, images: Images) -> None:
        """Measures both importances and dampens."""
        forget, retain = (
            importance(detector, images(branch, self.num_images),
                       lambda batch: detection_total(detector, batch))
            for branch in ('forget', 'retain'))
        parameters = dict(detector.named_parameters())
        for name in forget:
            dampen_(parameters[name], forget[name], retain[name], self.alpha, self.lambda_)


@torch.no_grad()
def dampen_(weight: torch.Tensor, forget: torch.Tensor, retain: torch.Tensor, alpha: float,
            lambda_: float) -> None:
    """Dampens one tensor in place, given its importances of the same shape."""
    chosen = forget > alpha * retain
    factor = (lambda_ * retain[chosen] / forget[chosen]).clamp(max=1)
    weight[chosen] *= factor
