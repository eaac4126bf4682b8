"""Attacks: is what is forgotten gone, or only hidden?"""

from gslora_det.attacks.agnostic_recall import AgnosticRecall
from gslora_det.attacks.as_it_is import AsItIs
from gslora_det.attacks.base import Attack, Target
from gslora_det.attacks.decoder_and_head import DecoderAndHead
from gslora_det.attacks.earlier_layers import EarlierLayers
from gslora_det.attacks.everything import Everything
from gslora_det.attacks.few_shot import FewShot
from gslora_det.attacks.interpolation import Interpolation
from gslora_det.attacks.material import Material
from gslora_det.attacks.membership import Membership
from gslora_det.attacks.new_head import NewHead
from gslora_det.attacks.original_head import OriginalHead
from gslora_det.attacks.probe import Probe
from gslora_det.attacks.prototype_head import PrototypeHead
from gslora_det.attacks.quantized import Quantized
from gslora_det.attacks.retain_only import RetainOnly

__all__ = ['AgnosticRecall', 'AsItIs', 'Attack', 'DecoderAndHead', 'EarlierLayers', 'Everything',
           'FewShot', 'Interpolation', 'Material', 'Membership', 'NewHead', 'OriginalHead',
           'Probe', 'PrototypeHead', 'Quantized', 'RetainOnly', 'Target']
