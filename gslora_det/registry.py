"""The registry of unlearning methods."""

from mmengine.registry import Registry

METHODS = Registry('method', scope='mmdet', locations=['gslora_det.methods'])
