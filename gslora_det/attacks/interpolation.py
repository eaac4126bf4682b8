from collections.abc import Sequence

from torch import Tensor

from gslora_det.attacks.base import Attack, Target
from gslora_det.registry import ATTACKS


@ATTACKS.register_module()
class Interpolation(Attack):
    """Moves the weights some way to the original's, or away from them (arXiv 2505.22310).

    Where all that lies between detects the classes, unlearning has hardly moved.
    """
    name = 'interpolation'
    title = "weights moved to the original's"
    x = 'share of the original'
    controls = ('head mask', )
    needs_original = True
    finds_hidden = True

    def run(self, target: Target, shares: Sequence[float] = (-0.5, 0.25, 0.5)) -> list[dict]:
        """Moves all weights and measures, see :meth:`Attack.run`.

        Args:
            target (Target): What is attacked.
            shares (list[float]): Of the original; those of the detector are the rest.
        """
        curve = []
        for share in shares:
            detector = self.material.detector(
                interpolated(target.weights, target.original, share))
            curve.append(dict(x=share, **self.material.measure(
                detector, self.material.prefix(detector), target.classes)))
        return curve


def interpolated(weights: dict[str, Tensor], original: dict[str, Tensor], share: float
                 ) -> dict[str, Tensor]:
    """``(1 - share) weights + share original``; what is no floating-point number stays."""
    return {name: value.lerp(original[name].to(value), share) if value.is_floating_point()
            else value for name, value in weights.items()}
