"""Pictures of what a detector no longer finds."""

from gslora_det.visualization.erased_boxes import draw_erased_boxes, draw_panels

__all__ = ['draw_erased_boxes', 'draw_panels']
