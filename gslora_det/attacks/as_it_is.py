from gslora_det.attacks.base import Attack, Target
from gslora_det.registry import ATTACKS


@ATTACKS.register_module()
class AsItIs(Attack):
    """No attack: what each detector shows by itself."""
    name = 'as it is'
    title = 'nothing is done'
    x = ''

    def run(self, target: Target) -> list[dict]:
        """Measures, see :meth:`Attack.run`."""
        detector = self.material.detector(target.weights)
        return [dict(x=0, **self.material.measure(
            detector, self.material.prefix(detector), target.classes))]
