from torch import nn

from gslora_det.attacks.base import Target
from gslora_det.attacks.decoder_layers import num_layers
from gslora_det.attacks.earlier_layers import EarlierLayers
from gslora_det.readers import reader_of
from gslora_det.registry import ATTACKS


@ATTACKS.register_module()
class OriginalHead(EarlierLayers):
    """Puts the original's class layers on the unlearned body.

    The published code of GS-LoRA (arXiv 2403.11530) does so for its Fig. 6 (``resume_head``).
    Of a DETR, each decoder layer with its class layer is measured; the last gives the
    detections. Of other families there is one point.
    """
    name = 'original head'
    title = "the original's class layers put back"
    controls = ('head mask', )  # which it makes the original
    needs_original = True
    finds_hidden = True

    def misses(self, detector: nn.Module, **setting) -> str | None:
        """Nothing: every detector has class layers."""
        return None

    def run(self, target: Target) -> list[dict]:
        """Replaces the layers and measures, see :meth:`Attack.run`."""
        detector, original = map(self.material.detector, (target.weights, target.original))
        reader = reader_of(detector)
        for layer, before in zip(reader.class_layers(), reader_of(original).class_layers()):
            layer.load_state_dict(before.state_dict())
        return self.measure(detector, target, range(1, num_layers(reader) + 1))
