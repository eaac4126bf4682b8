from gslora_det.models.crop_classifier import CropClassifier
from gslora_det.models.efficientnet_lite0 import EfficientNetLite0
from gslora_det.models.unlearning_detector import UnlearningDetector

__all__ = ['CropClassifier', 'EfficientNetLite0', 'UnlearningDetector']
