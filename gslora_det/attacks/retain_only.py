from torch import nn

from gslora_det.attacks.base import Target
from gslora_det.attacks.everything import Everything
from gslora_det.registry import ATTACKS


@ATTACKS.register_module()
class RetainOnly(Everything):
    """Trains the whole detector on images without an erased object: does it come back alone?"""
    name = 'retained only'
    title = 'all weights trained on images without the classes'
    finds_hidden = False

    def misses(self, detector: nn.Module, **setting) -> str | None:
        """Images to train on."""
        found = self.images(Target('unlearned', {}, self.material.erased))
        return None if found else 'training images without an erased object'

    def images(self, target: Target) -> list[int]:
        """A tenth of the images that show retained classes and none of the others."""
        return self.material.share(self.material.retained, 0.1, target.classes)
