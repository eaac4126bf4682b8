"""Tables, curves and the HTML report of a finished (or running) sequence of erasures."""

from gslora_det.report.curves import draw_curves
from gslora_det.report.gallery import make_gallery
from gslora_det.report.html import Run, render_report
from gslora_det.report.results import write_results
from gslora_det.report.tables import print_table, results_rows, to_csv, to_markdown
from gslora_det.report.thresholds import over_thresholds, render_thresholds

__all__ = ['Run', 'draw_curves', 'make_gallery', 'over_thresholds', 'print_table', 'render_report',
           'render_thresholds', 'results_rows', 'to_csv', 'to_markdown', 'write_results']
