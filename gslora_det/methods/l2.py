"""L2*: fine-tuning with wrong labels, near the weights before the task."""

from gslora_det.methods.anchored import Anchored
from gslora_det.registry import METHODS


@METHODS.register_module()
class L2(Anchored):
    """All weights are equally important, see :class:`Anchored`.

    Args:
        weight (float): 0.01 in the authors' scripts.
        **kwargs: See :class:`Anchored`.
    """

    def __init__(self, weight: float = 0.01, **kwargs) -> None:
        super().__init__(weight=weight, **kwargs)
