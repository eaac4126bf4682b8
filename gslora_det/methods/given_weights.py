"""A detector from elsewhere in the place of an unlearned one."""

from torch import nn

from gslora_det.methods.base import Images, Method
from gslora_det.options import TEXT, require
from gslora_det.registry import METHODS
from gslora_det.weights import check_exists, fetch, load_weights


@METHODS.register_module()
class GivenWeights(Method):
    """Takes the weights of a detector that others trained, such as one without the classes.

    So a true retrain stands beside methods, with its cost paid elsewhere.

    Args:
        weights (str, optional): A checkpoint of the same detector; by default the weights stay.
        **kwargs: See :class:`Method`.

    Raises:
        ValueError: There is no such file.
    """
    trains = False

    def __init__(self, weights: str | None = None, **kwargs) -> None:
        super().__init__(**kwargs)
        if weights is not None:
            require('GivenWeights', weights=(weights, TEXT))
            check_exists(weights)
        self.weights = weights

    def before_task(self, detector: nn.Module, images: Images) -> None:
        """Loads them."""
        if self.weights:
            load_weights(detector, fetch(self.weights))
