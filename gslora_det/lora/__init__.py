from gslora_det.lora.groups import LoRAGroup, lora_disabled, lora_groups
from gslora_det.lora.injection import inject_lora, lora_state, merge_lora, plain_state_dict
from gslora_det.lora.layer import LoRALinear

__all__ = [
    'LoRAGroup', 'LoRALinear', 'inject_lora', 'lora_disabled', 'lora_groups',
    'lora_state', 'merge_lora', 'plain_state_dict'
]
