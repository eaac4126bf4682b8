"""Pictures of what a detector no longer finds."""

from .erased_boxes import BoxFate, draw_erased_boxes, erased_boxes

__all__ = ['BoxFate', 'draw_erased_boxes', 'erased_boxes']
