"""The results of tuning: every value that was tried, and which one is best."""

from gslora_det.comparison.tables import summary, task_values
from gslora_det.reporting.tables import markdown_table


def tuned(results: dict) -> dict[str, dict]:
    """Method -> values of its grid with the highest H."""
    best = {}
    for cell, result in results.items():
        h = task_values(result)['H'] or 0.0  # None where the original detects nothing
        if cell.method not in best or h > best[cell.method][0]:
            best[cell.method] = (h, cell.choice)
    return {method: choice for method, (_, choice) in best.items()}


def tuning_to_markdown(results: dict) -> str:
    """Every value of the grids that was tried, and which one was best."""
    best = tuned(results)
    rows = []
    for cell, result in results.items():
        values = task_values(result)
        mark = '**best**' if cell.choice == best[cell.method] else ''
        rows.append([cell.method, ', '.join(cell.words),
                     *(summary([values[key]]) for key in
                       ('H', 'H_relative', 'AP_retained', 'AP_forgotten')), mark])
    return markdown_table(['method', 'values', 'H', 'H/H_max', 'AP_r', 'AP_f', ''], rows)
