from torch import nn

from gslora_det.attacks.retraining import Retraining
from gslora_det.readers import Reader
from gslora_det.registry import ATTACKS


@ATTACKS.register_module()
class NewHead(Retraining):
    """Trains the class head alone (arXiv 2403.11530, Fig. 6): is the class only hidden?"""
    name = 'new head'
    title = 'class head trained on a tenth of the images'
    batch_size = 32
    aux_losses = False
    clip = float('inf')
    settings = {f'lr {lr:g}': dict(lr=lr, epochs=(1, 3, 6, 10, 20)) for lr in (1e-3, 1e-2)}

    def trained(self, reader: Reader) -> list[nn.Module]:
        """The class layers."""
        return reader.class_layers()
