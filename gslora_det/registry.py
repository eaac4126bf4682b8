"""The registries of unlearning methods, of what they need to know of detectors, and of attacks."""

from mmengine.registry import Registry

METHODS = Registry('method', scope='mmdet', locations=['gslora_det.methods'])
READERS = Registry('reader', scope='mmdet', locations=['gslora_det.readers'])
ATTACKS = Registry('attack', scope='mmdet', locations=['gslora_det.attacks'])
