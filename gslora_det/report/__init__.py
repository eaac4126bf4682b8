"""Tables and curves of a finished (or running) sequence of erasures."""

from gslora_det.report.curves import draw_curves
from gslora_det.report.tables import print_table, results_rows, to_csv, to_markdown

__all__ = ['draw_curves', 'print_table', 'results_rows', 'to_csv', 'to_markdown']
