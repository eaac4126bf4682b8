from gslora_det.models.crop_classifier import CropClassifier
from gslora_det.models.unlearning_detector import UnlearningDetector

__all__ = ['CropClassifier', 'UnlearningDetector']
