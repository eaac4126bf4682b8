from gslora_det.methods.base import Method
from gslora_det.methods.gs_lora import GSLoRA

__all__ = ['GSLoRA', 'Method']
