"""The results of a comparison as Markdown tables."""

import statistics
from collections import defaultdict
from typing import Callable, Dict, Iterable, List, Optional, Sequence, Set

from gslora_det.evaluation import h_ratio
from gslora_det.reporting.tables import markdown_table

# A method cannot be ranked by what it erases where the original detects nothing.
LEAST_ORIGINAL_AP = 0.05
LEAST_SLACK = 0.001  # seeds differ by more; one run has no deviation to tell
_COLUMNS = {'H': 'H', 'H/H_max': 'H_relative', 'AP_r': 'AP_retained',
            'AP_f': 'AP_forgotten', 'AP_o': 'AP_old', 'AP_m': 'AP_missing'}
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
        parts.append(f'Cost of {setting}, evaluation included:\n\n' + _cost_table(methods, found))
    return '\n\n'.join(parts)
