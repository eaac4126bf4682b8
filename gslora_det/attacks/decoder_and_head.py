from torch import nn

from gslora_det.attacks.retraining import Retraining
from gslora_det.readers import Reader
from gslora_det.registry import ATTACKS


@ATTACKS.register_module()
class DecoderAndHead(Retraining):
    """Trains all that comes after the encoder, or after the neck where there is no encoder."""
    name = 'decoder and head'
    title = 'decoder and head trained on a tenth of the images'

    def trained(self, reader: Reader) -> list[nn.Module]:
        """Everything but stem and encoder."""
        before = {*reader.stem(), getattr(reader.detector, 'encoder', None)}
        return [part for part in reader.detector.children() if part not in before]
