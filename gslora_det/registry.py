"""The registries of unlearning methods and of what they need to know of detectors."""

from mmengine.registry import Registry

METHODS = Registry('method', scope='mmdet', locations=['gslora_det.methods'])
READERS = Registry('reader', scope='mmdet', locations=['gslora_det.readers'])
