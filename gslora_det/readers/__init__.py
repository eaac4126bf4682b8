from gslora_det.readers.base import Reader
from gslora_det.readers.batch import Batch, join
from gslora_det.readers.dense import DenseReader
from gslora_det.readers.detr import DETRReader
from gslora_det.readers.find import reader_of
from gslora_det.readers.reading import Losses, Matched, Reading, joined, prefixed
from gslora_det.readers.roi import RoIReader

__all__ = [
    'Batch', 'DETRReader', 'DenseReader', 'Losses', 'Matched', 'Reader', 'Reading', 'RoIReader',
    'join', 'joined', 'prefixed', 'reader_of'
]
