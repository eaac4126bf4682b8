from gslora_det.lora.groups import LoRAGroup, lora_disabled, lora_groups
from gslora_det.lora.injection import (
    inject_lora,
    lora_state,
    lora_targets,
    merge_lora,
    plain_state_dict,
)
from gslora_det.lora.layer import LoRAConv2d, LoRALinear
from gslora_det.lora.regression import low_rank_regression

__all__ = [
    'LoRAConv2d', 'LoRAGroup', 'LoRALinear', 'inject_lora', 'lora_disabled',
    'lora_groups', 'lora_state', 'lora_targets', 'low_rank_regression', 'merge_lora',
    'plain_state_dict'
]
