from gslora_det.engine.hooks.detections_hook import KeepDetectionsHook
from gslora_det.engine.hooks.erased_boxes_hook import ErasedBoxesHook
from gslora_det.engine.hooks.export_hook import ExportHook
from gslora_det.engine.hooks.fates_hook import FatesHook
from gslora_det.engine.hooks.finite_hook import FiniteHook
from gslora_det.engine.hooks.group_norm_hook import GroupNormHook
from gslora_det.engine.hooks.method_hook import MethodHook
from gslora_det.engine.hooks.progress_hook import ProgressHook
from gslora_det.engine.hooks.random_state_hook import RandomStateHook
from gslora_det.engine.hooks.stopwatch_hook import StopwatchHook

__all__ = ['ErasedBoxesHook', 'ExportHook', 'FatesHook', 'FiniteHook', 'GroupNormHook',
           'KeepDetectionsHook', 'MethodHook', 'ProgressHook', 'RandomStateHook', 'StopwatchHook']
