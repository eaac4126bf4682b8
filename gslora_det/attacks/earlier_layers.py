from collections.abc import Sequence

from torch import nn

from gslora_det.attacks.base import Attack, Target
from gslora_det.attacks.decoder_layers import num_layers, predict_at
from gslora_det.readers import reader_of
from gslora_det.registry import ATTACKS


@ATTACKS.register_module()
class EarlierLayers(Attack):
    """Takes the detections of a DETR's earlier decoder layers instead of those of the last."""
    name = 'earlier layers'
    title = 'its own class layers at earlier decoder layers'
    x = 'decoder layer'
    controls = ('original', 'oracle')

    def misses(self, detector: nn.Module, **setting) -> str | None:
        """Class layers of several decoder layers."""
        several = num_layers(reader_of(detector)) > 1
        return None if several else 'class layers of several decoder layers'

    def run(self, target: Target) -> list[dict]:
        """Measures each layer but the last, see :meth:`Attack.run`."""
        detector = self.material.detector(target.weights)
        return self.measure(detector, target, range(1, num_layers(reader_of(detector))))

    def measure(self, detector: nn.Module, target: Target, layers: Sequence[int]) -> list[dict]:
        """What is detected at each of the decoder layers; the first is 1."""
        material, reader = self.material, reader_of(detector)
        prefix = material.prefix(detector)
        return [dict(x=layer, **material.measure(
            detector, prefix, target.classes,
            predict_at(reader, layer) if num_layers(reader) > 1 else None)) for layer in layers]
