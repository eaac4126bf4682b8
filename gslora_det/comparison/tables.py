"""The results of a comparison as Markdown, CSV and curves."""

import csv
import io
import statistics
from collections import defaultdict
from pathlib import Path
from typing import Callable, Dict, Iterable, List, Optional, Sequence, Set

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from gslora_det.evaluation import h_ratio
from gslora_det.files import atomic_write
from gslora_det.report.curves import PALETTE
from gslora_det.report.tables import markdown_table

# A method cannot be ranked by what it erases where the original detects nothing.
LEAST_ORIGINAL_AP = 0.05
LEAST_SLACK = 0.001  # seeds differ by more; one run has no deviation to tell
_COLUMNS = {'H': 'H', 'H/H_max': 'H_relative', 'AP_r': 'AP_retained',
            'AP_f': 'AP_forgotten', 'AP_o': 'AP_old', 'AP_m': 'AP_missing'}
_COLOURS = ('#000000', *PALETTE)
_MARKERS = 'os^vDP*'  # the next one when the colours begin anew
_LEGEND = (
    'COCO AP@[.50:.95] in percent over all validation images; mean ± standard deviation '
    'where there are several seeds. r: retained, f: forgotten, o: erased earlier, m: '
    'retained without training data, a part of r. H: harmonic mean of AP_r and the drop of AP_f, '
    'whatever became of o; H_max: that of a perfect erasure; H/H_max counts as 100 at most. A '
    'sequence stands in the first table with its last task. Tunable: trained parameters. '
    '—: no result. Bold, where two or more methods have a result and controls apart: the best '
    'H, and what is behind it by no more than its standard deviation, or 0.1.')


def task_values(result: dict, task: int = -1) -> Dict[str, Optional[float]]:
    """The numbers of one task of a cell, as fractions."""
    metrics = result['tasks'][task]['metrics']
    values = {key: metrics.get(key) for key in
              ('H', 'AP_retained', 'AP_forgotten', 'AP_old', 'AP_missing')}
    values['H_relative'] = h_ratio(metrics)
    return values


def summary(values: Iterable[Optional[float]], scale: float = 100.0) -> str:
    """Mean and, where there are several, sample standard deviation."""
    known = [scale * value for value in values if value is not None]
    if not known:
        return '—'
    text = f'{statistics.mean(known):.1f}'
    return text if len(known) == 1 else f'{text} ± {statistics.stdev(known):.1f}'


def by_method(results: dict, setting: str) -> Dict[str, List[dict]]:
    """The results of one setting, a method's seeds together."""
    found = defaultdict(list)
    for cell, result in results.items():
        if cell.setting == setting:
            found[cell.method].append(result)
    return found


def _best(found: Dict[str, List[dict]], task: int, controls: Sequence[str]) -> Set[str]:
    """The methods with the highest H, if the original can be ranked against.

    That is, the first and whoever is behind it by no more than its standard deviation, or
    :data:`LEAST_SLACK`.
    """
    found = {method: results for method, results in found.items() if method not in controls}
    if len(found) < 2:
        return set()
    before = [r['tasks'][task]['original'] for rs in found.values() for r in rs]
    if any((b[key] or 0) < LEAST_ORIGINAL_AP for b in before
           for key in ('AP_retained', 'AP_forgotten')):
        return set()
    values = {method: [task_values(r, task)['H'] for r in results]
              for method, results in found.items()}
    means = {method: statistics.mean(hs) for method, hs in values.items()}
    first = max(means, key=means.get)
    slack = max(LEAST_SLACK, statistics.stdev(values[first]) if values[first][1:] else 0.0)
    return {method for method, mean in means.items() if mean >= means[first] - slack}


def _setting_table(methods: List[str], found: Dict[str, List[dict]], task: int,
                   controls: Sequence[str]) -> str:
    results = [r for rs in found.values() for r in rs]
    columns = {title: key for title, key in _COLUMNS.items()
               if key in ('H', 'H_relative')
               or any(task_values(r, task)[key] is not None for r in results)}
    best, rows = _best(found, task, controls), []
    if results:
        before = results[0]['tasks'][task]
        rows.append(['Original', '', *(
            '—' if key.startswith('H') else summary([before['original'].get(key)])
            for key in columns.values())])
    for method in methods:
        cells = [summary(task_values(r, task)[key] for r in found.get(method, ()))
                 for key in columns.values()]
        if method in best:
            cells[0] = f'**{cells[0]}**'
        rows.append([method, tunable(found.get(method, ())), *cells])
    return markdown_table(['method', 'tunable %', *columns], rows)


def tunable(results: Iterable[dict]) -> str:
    """Share of trained parameters, in percent."""
    shares = {r['tasks'][0]['trainable_parameters'] / r['tasks'][0]['total_parameters']
              for r in results}
    return ', '.join(f'{100 * share:.2f}' for share in sorted(shares)) or '—'


def _cost_table(methods: List[str], found: Dict[str, List[dict]]) -> str:
    def mean(method: str, value: Callable[[dict], float], form: str) -> str:
        values = [value(result) for result in found.get(method, ())]
        return form.format(statistics.mean(values)) if values else '—'

    rows = [[method,
             mean(method, lambda r: sum(t['seconds'] for t in r['tasks']), '{:.0f}'),
             mean(method, lambda r: sum(t['images_seen'] for t in r['tasks']), '{:,.0f}'),
             mean(method, lambda r: r['tasks'][0]['trainable_parameters'], '{:,.0f}'),
             mean(method, lambda r: max(t['peak_memory'] for t in r['tasks']) / 2**30,
                  '{:.2f}')]
            for method in methods]
    return markdown_table(['method', 'seconds', 'images seen', 'trained parameters',
                           'peak memory (GiB)'], rows)


def overview(methods: List[str], settings: List[str], results: dict,
             controls: Sequence[str] = ()) -> str:
    """H of all methods in all settings, of a sequence after its last task."""
    found = {setting: by_method(results, setting) for setting in settings}
    best = {setting: _best(found[setting], -1, controls) for setting in settings}
    rows = []
    for method in methods:
        cells = []
        for setting in settings:
            text = summary(task_values(r)['H_relative'] for r in found[setting][method])
            cells.append(f'**{text}**' if method in best[setting] else text)
        runs = [r for setting in settings for r in found[setting][method]]
        rows.append([method, tunable(runs), *cells])
    return markdown_table(['H / H_max (%)', 'tunable %', *settings], rows)


def to_markdown(methods: List[str], settings: List[str], results: dict,
                controls: Sequence[str] = ()) -> str:
    """All tables: the overview, then every setting that has results.

    Args:
        methods (list[str]): The rows, in order.
        settings (list[str]): One table each, in order; a sequence has one a task.
        results (dict): Cell -> result, see :meth:`Comparison.results`.
        controls (list[str]): Methods that are never marked as best.
    """
    parts = [_LEGEND, overview(methods, settings, results, controls)]
    for setting in settings:
        found = by_method(results, setting)
        if not found:
            continue
        tasks = max(len(r['tasks']) for rs in found.values() for r in rs)
        for task in range(tasks):
            title = f'{setting}, task {task + 1}' if tasks > 1 else setting
            parts.append(f'### {title}\n\n{_setting_table(methods, found, task, controls)}')
        parts.append(f'Cost of {setting}, evaluation included:\n\n'
                     + _cost_table(methods, found))
    return '\n\n'.join(parts)


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


def draw_curves(methods: List[str], found: Dict[str, List[dict]], path: Path) -> None:
    """AP of retained, forgotten and earlier erased classes after each task, by method."""
    figure = Figure(figsize=(14, 6), dpi=110, layout='constrained')
    FigureCanvasAgg(figure)
    panels = dict(AP_retained='retained (the higher the better)',
                  AP_forgotten='forgotten in the task (the lower the better)',
                  AP_old='erased in earlier tasks (the lower the better)')
    for (key, title), axes in zip(panels.items(), figure.subplots(1, 3, sharex=True,
                                                                  sharey=True)):
        for number, method in enumerate(methods):
            runs = [[task_values(r, t)[key] for t in range(len(r['tasks']))]
                    for r in found.get(method, ())]
            if not runs:
                continue
            means = [float('nan') if None in values else 100 * statistics.mean(values)
                     for values in zip(*runs)]
            marker, colour = divmod(number, len(_COLOURS))
            axes.plot(range(1, len(means) + 1), means, color=_COLOURS[colour],
                      marker=_MARKERS[marker % len(_MARKERS)], label=method)
        axes.set(title=title, xlabel='task')
        axes.grid(alpha=0.3)
        axes.spines[['top', 'right']].set_visible(False)
    figure.axes[0].set_ylabel('COCO AP@[.50:.95] in percent')
    figure.legend(*axes.get_legend_handles_labels(), loc='outside lower center', ncols=5)
    figure.savefig(path, format='png')


def write_results(comparison) -> str:
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


def tuned(results: dict) -> Dict[str, dict]:
    """Method -> values of its grid with the highest H."""
    best = {}
    for cell, result in results.items():
        h = task_values(result)['H']
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


def write_tuning(comparison) -> str:
    """Writes ``tuning.md``.

    Returns:
        str: The table, and where the file is.
    """
    text = tuning_to_markdown(comparison.results(comparison.tuning_cells()))
    with atomic_write(comparison.work_dir / 'tuning.md') as draft:
        draft.write_text(text, 'utf-8')
    return f'{text}\n{comparison.work_dir / "tuning.md"}'
