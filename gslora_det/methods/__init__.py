from gslora_det.methods.all_weights import AllWeights
from gslora_det.methods.base import Method
from gslora_det.methods.damp import DAMP
from gslora_det.methods.der import DER
from gslora_det.methods.der_plus_plus import DERPlusPlus
from gslora_det.methods.ewc import EWC
from gslora_det.methods.fdr import FDR
from gslora_det.methods.given_weights import GivenWeights
from gslora_det.methods.gradient_ascent import GradientAscent
from gslora_det.methods.gs_lora import GSLoRA
from gslora_det.methods.gs_lora_plus_plus import GSLoRAPlusPlus
from gslora_det.methods.head_mask import HeadMask
from gslora_det.methods.l2 import L2
from gslora_det.methods.laf import LAF
from gslora_det.methods.linear_erasure import LinearErasure
from gslora_det.methods.lirf import LIRF
from gslora_det.methods.lwf import LwF
from gslora_det.methods.mas import MAS
from gslora_det.methods.random_drop import RandomDrop
from gslora_det.methods.rehearsal_finetune import RehearsalFinetune
from gslora_det.methods.retrain import Retrain
from gslora_det.methods.scrub import SCRUB
from gslora_det.methods.scrubs import SCRUBS
from gslora_det.methods.ssd import SSD

__all__ = [
    'AllWeights', 'DAMP', 'DER', 'DERPlusPlus', 'EWC', 'FDR', 'GSLoRA', 'GSLoRAPlusPlus',
    'GivenWeights', 'GradientAscent', 'HeadMask', 'L2', 'LAF', 'LIRF', 'LinearErasure', 'LwF',
    'MAS', 'Method', 'RandomDrop', 'RehearsalFinetune', 'Retrain', 'SCRUB', 'SCRUBS', 'SSD'
]
