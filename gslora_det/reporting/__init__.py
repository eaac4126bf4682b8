"""Tables, curves and the HTML report of a finished (or running) sequence of erasures."""

from gslora_det.reporting.curves import draw_curves
from gslora_det.reporting.gallery import make_gallery
from gslora_det.reporting.html import Run, render_report
from gslora_det.reporting.results import write_results
from gslora_det.reporting.tables import print_table, results_rows, to_csv, to_markdown
from gslora_det.reporting.thresholds import over_thresholds, render_thresholds

__all__ = ['Run', 'draw_curves', 'make_gallery', 'over_thresholds', 'print_table', 'render_report',
           'render_thresholds', 'results_rows', 'to_csv', 'to_markdown', 'write_results']
