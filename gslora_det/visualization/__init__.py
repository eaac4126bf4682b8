"""Pictures of what a detector no longer finds."""

from gslora_det.visualization.erased_boxes import draw_erased_boxes, draw_panels
from gslora_det.visualization.pictures import write_picture

__all__ = ['draw_erased_boxes', 'draw_panels', 'write_picture']
