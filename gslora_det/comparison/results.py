"""The files that a comparison leaves."""

from gslora_det.comparison.cells import Comparison
from gslora_det.comparison.curves import draw_curves
from gslora_det.comparison.tables import (
    by_method,
    overview,
    task_values,
    to_markdown,
)
from gslora_det.comparison.tuning import tuning_to_markdown
from gslora_det.files import atomic_write, write_file
from gslora_det.reporting.tables import csv_table


def to_csv(results: dict) -> str:
    """One row a cell and task, fractions in full precision."""
    return csv_table([
        dict(setting=cell.setting, method=cell.method, seed=cell.seed, task=number,
             **task_values(result, number - 1),
             original_retained=task['original']['AP_retained'],
             original_forgotten=task['original']['AP_forgotten'],
             **{key: task[key] for key in ('seconds', 'images_seen', 'peak_memory',
                                           'trainable_parameters', 'total_parameters')})
        for cell, result in results.items() for number, task in enumerate(result['tasks'], 1)])


def write_results(comparison: Comparison) -> str:
    """Writes ``results.md``, ``results.csv`` and ``curves.png`` of what is finished.

    Returns:
        str: The overview, and where the files are.
    """
    cells = comparison.cells()
    results = comparison.results(cells)
    methods = list(comparison.cfg.methods)
    settings = list(comparison.cfg.settings)
    unranked, ablations, ours = (
        list(comparison.cfg.get(key, ())) for key in ('unranked', 'ablations', 'ours'))
    text = to_markdown(methods, settings, results, unranked, ablations)
    methods = [method for method in methods if method not in ablations]
    folder = comparison.work_dir
    write_file(folder / 'results.md', text)
    write_file(folder / 'results.csv', to_csv(results))
    sequences = [setting for setting in settings if any(
        len(result['tasks']) > 1 for cell, result in results.items() if cell.setting == setting)]
    for setting in sequences:
        name = 'curves' if len(sequences) == 1 else f'curves_{setting.replace(" ", "_")}'
        with atomic_write(folder / f'{name}.png') as draft:
            found = by_method({cell: result for cell, result in results.items()
                               if cell.method in methods}, setting)
            draw_curves(methods, found, draft, ours, unranked)
    table = overview(methods, settings, results, unranked)
    return f'{table}\n{len(results)} of {len(cells)} cells are there: {folder}'


def write_tuning(comparison: Comparison) -> str:
    """Writes ``tuning.md``.

    Returns:
        str: The table, and where the file is.
    """
    text = tuning_to_markdown(comparison.results(comparison.tuning_cells()))
    write_file(comparison.work_dir / 'tuning.md', text)
    return f'{text}\n{comparison.work_dir / "tuning.md"}'
