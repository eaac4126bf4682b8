from collections.abc import Sequence

from gslora_det.attacks.base import Target
from gslora_det.attacks.everything import Everything
from gslora_det.registry import ATTACKS


@ATTACKS.register_module()
class FewShot(Everything):
    """Trains the whole detector on a few images of each erased class, and as many without any.

    An image that is drawn for one class may show another of them, too.
    """
    name = 'few shots'
    title = 'all weights trained on a few images a class'
    x = 'images a class'
    settings = {'': dict(shots=(1, 5, 10, 30))}

    def run(self, target: Target, shots: Sequence[int] = (1, 5, 10, 30), steps: int = 40,
            lr: float = 1e-4) -> list[dict]:
        """Trains and measures, see :meth:`Attack.run`.

        Args:
            target (Target): What is attacked.
            shots (list[int]): Images that are drawn for each class.
            steps (int): Full batches whose images are seen, whatever the number of shots. Images
                that do not fill a batch are a step all the same.
            lr (float): Learning rate.
        """
        curve = []
        for number in shots:
            shown = self.material.shots(target.classes, number)
            others = self.material.shots(self.material.retained, number, target.classes)
            chosen = sorted({*shown, *self.material.generator().sample(
                others, min(len(shown), len(others)))})
            epochs = max(1, steps * self.batch_size // len(chosen))
            point, = self.train(target, chosen, lr, [epochs])
            curve.append(dict(point, x=number))
        return curve
