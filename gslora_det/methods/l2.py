"""L2*: fine-tuning with wrong labels, near the weights before the task (arXiv 2403.11530)."""

from gslora_det.methods.anchored import Anchored
from gslora_det.registry import METHODS


@METHODS.register_module()
class L2(Anchored):
    """``L = L_det(retain and relabelled forget) + weight sum_n (theta_n - theta*_n)^2``.

    That is :class:`Anchored` where all weights are equally important.

    Args:
        weight (float): Weight of the pull; 0.01 in GS-LoRA's scripts.
        **kwargs: See :class:`Anchored`.
    """

    def __init__(self, weight: float = 0.01, **kwargs) -> None:
        super().__init__(weight=weight, **kwargs)
