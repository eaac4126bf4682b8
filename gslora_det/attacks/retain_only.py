from typing import List

from gslora_det.attacks.base import Target
from gslora_det.attacks.everything import Everything
from gslora_det.registry import ATTACKS


@ATTACKS.register_module()
class RetainOnly(Everything):
    """Trains the whole detector on images without an erased object: does it come back alone?"""
    name = 'retained only'
    title = 'all weights trained on images without the classes'
    finds_hidden = False

    def images(self, target: Target) -> List[int]:
        """A tenth of the images that show retained classes, without those of the others."""
        material = self.material
        return material.without(material.share(material.retained, 0.1), target.classes)
