"""Many methods on the same requests: their runs, tables and curves."""

from gslora_det.comparison.cells import PARTS, TUNING, Cell, Comparison
from gslora_det.comparison.curves import draw_curves
from gslora_det.comparison.results import to_csv, write_results, write_tuning
from gslora_det.comparison.running import run_cells
from gslora_det.comparison.tables import (
    LEGEND,
    by_method,
    leading,
    overview,
    setting_table,
    summary,
    to_markdown,
)
from gslora_det.comparison.tuning import tuned, tuning_to_markdown

__all__ = [
    'Cell', 'Comparison', 'LEGEND', 'PARTS', 'TUNING', 'by_method', 'draw_curves', 'leading',
    'overview', 'run_cells', 'setting_table', 'summary', 'to_csv', 'to_markdown', 'tuned',
    'tuning_to_markdown', 'write_results', 'write_tuning',
]
