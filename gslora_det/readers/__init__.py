from gslora_det.readers.base import Reader
from gslora_det.readers.batch import Batch, join
from gslora_det.readers.detr import DETRReader
from gslora_det.readers.find import reader_of
from gslora_det.readers.reading import Losses, Matched, Reading, joined, prefixed

__all__ = [
    'Batch', 'DETRReader', 'Losses', 'Matched', 'Reader', 'Reading', 'join', 'joined', 'prefixed',
    'reader_of'
]
