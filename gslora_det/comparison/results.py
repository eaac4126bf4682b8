"""The files that a comparison leaves."""

import csv
import io

from gslora_det.comparison.cells import Comparison
from gslora_det.comparison.curves import draw_curves
from gslora_det.comparison.tables import by_method, overview, task_values, to_markdown
from gslora_det.comparison.tuning import tuning_to_markdown
from gslora_det.files import atomic_write


def to_csv(results: dict) -> str:
    """One row a cell and task, fractions in full precision."""
    text = io.StringIO()
    writer = None
    for cell, result in results.items():
        for number, task in enumerate(result['tasks'], 1):
            row = dict(setting=cell.setting, method=cell.method, seed=cell.seed, task=number,
                       **task_values(result, number - 1),
                       original_retained=task['original']['AP_retained'],
                       original_forgotten=task['original']['AP_forgotten'],
                       **{key: task[key] for key in (
                           'seconds', 'images_seen', 'peak_memory', 'trainable_parameters',
                           'total_parameters')})
            if writer is None:
                writer = csv.DictWriter(text, row, lineterminator='\n')
                writer.writeheader()
            writer.writerow(row)
    return text.getvalue()


def write_results(comparison: Comparison) -> str:
    """Writes ``results.md``, ``results.csv`` and ``curves.png`` of what is finished.

    Returns:
        str: The overview, and where the files are.
    """
    cells = comparison.cells()
    results = comparison.results(cells)
    methods = list(comparison.cfg.methods)
    settings = list(comparison.cfg.settings)
    controls = comparison.cfg.get('controls', ())
    text = to_markdown(methods, settings, results, controls)
    folder = comparison.work_dir
    with atomic_write(folder / 'results.md') as draft:
        draft.write_text(text, 'utf-8')
    with atomic_write(folder / 'results.csv') as draft:
        draft.write_text(to_csv(results), 'utf-8')
    sequences = [setting for setting in settings if any(
        len(result['tasks']) > 1 for cell, result in results.items() if cell.setting == setting)]
    for setting in sequences:
        name = 'curves' if len(sequences) == 1 else f'curves_{setting.replace(" ", "_")}'
        with atomic_write(folder / f'{name}.png') as draft:
            draw_curves(methods, by_method(results, setting), draft)
    table = overview(methods, settings, results, controls)
    return f'{table}\n{len(results)} of {len(cells)} cells are there: {folder}'


def write_tuning(comparison: Comparison) -> str:
    """Writes ``tuning.md``.

    Returns:
        str: The table, and where the file is.
    """
    text = tuning_to_markdown(comparison.results(comparison.tuning_cells()))
    with atomic_write(comparison.work_dir / 'tuning.md') as draft:
        draft.write_text(text, 'utf-8')
    return f'{text}\n{comparison.work_dir / "tuning.md"}'
