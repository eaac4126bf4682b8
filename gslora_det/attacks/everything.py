from torch import nn

from gslora_det.attacks.retraining import Retraining
from gslora_det.readers import Reader
from gslora_det.registry import ATTACKS


@ATTACKS.register_module()
class Everything(Retraining):
    """Trains the whole detector."""
    name = 'everything'
    title = 'all weights trained on a tenth of the images'
    controls = ('original', 'oracle', 'head mask')
    settings = {'': dict(epochs=(1, 2, 4))}

    def trained(self, reader: Reader) -> list[nn.Module]:
        """The detector."""
        return [reader.detector]
