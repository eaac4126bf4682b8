"""The results of a comparison as Markdown tables."""

import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence

from gslora_det.evaluation import h_ratio, lost_share, most
from gslora_det.reporting.tables import markdown_table

# A method cannot be ranked by what it erases where the original detects nothing.
LEAST_ORIGINAL_AP = 0.05
LEAST_SLACK = 0.001  # seeds differ by more; one run has no deviation to tell
# Title of a column, what it shows, and by what that is multiplied.
_COLUMNS = (('H', 'H', 100), ('H/H_max', 'H_relative', 100), ('AP_r', 'AP_retained', 100),
            ('AP_f', 'AP_forgotten', 100), ('AP_o', 'AP_old', 100), ('AP_m', 'AP_missing', 100),
            ('blocks', 'blocks', 1), ('lost > 0.5', 'lost', 100), ('new head', 'new head', 1),
            ('probe', 'probe', 1), ('seconds', 'seconds', 1), ('GiB', 'peak_memory', 2**-30))
_COSTS = ('seconds', 'peak_memory')
# Shown without a deviation, with so many decimals.
_DECIMALS = dict(blocks=0, seconds=0, peak_memory=1)
LEGEND = (
    'COCO AP@[.50:.95] in percent over all validation images; mean ± standard deviation '
    'where there are several seeds. r: retained, f: forgotten, o: erased earlier, m: '
    'retained without training data, a part of r. H: harmonic mean of AP_r and the drop of AP_f, '
    'whatever became of o; H_max: that of a perfect erasure; H/H_max counts as 100 at most. A '
    'sequence stands in the first table with its last task. Tunable: trained parameters. Blocks: '
    'groups of LoRA layers whose norm is not zero. Lost: percent of the retained objects that the '
    'original finds above a score of 0.5, and this one does not. New head: the most AP_f that a '
    'new class head brings back. Probe: AUC in percent of a linear classifier of the forgotten '
    'classes on embeddings of the last layer. Seconds and memory with evaluation, of the seed '
    'with the least. —: no result. '
    'Bold, where two or more methods have a result: the best H, and what is behind it by no more '
    'than its standard deviation, or 0.1; without those whose AP_f is zero by construction, which '
    'reset class rows or never learned the classes.')


def task_values(result: dict, task: int = -1) -> dict[str, float | None]:
    """The numbers of one task of a cell: fractions, but what attacks found in percent."""
    found = result['tasks'][task]
    metrics = found['metrics']
    values = {key: metrics.get(key) for key in
              ('H', 'AP_retained', 'AP_forgotten', 'AP_old', 'AP_missing')}
    values['H_relative'] = h_ratio(metrics)
    norms = found.get('groups')
    values['blocks'] = sum(norm > 0 for norm in norms.values()) if norms else None
    values['lost'] = lost_share(found.get('objects'), '0.5')
    of_task = [each for each in result.get('attacks', ())
               if each['task'] == found['task'] and each['detector'] == 'unlearned']
    heads = [most(each) for each in of_task if each['attack'] == 'new head']
    probes = [each['curve'][-1][each['measures']] for each in of_task
              if each['attack'] == 'probe']
    values.update({'new head': max(heads, default=None), 'probe': max(probes, default=None)})
    return values


def summary(values: Iterable[float | None], scale: float = 100.0,
            decimals: int | None = None) -> str:
    """Mean and, where there are several, sample standard deviation.

    Args:
        values (iterable): Numbers; None where there is no result.
        scale (float): By which they are multiplied.
        decimals (int, optional): The mean alone, with so many.
    """
    known = [scale * value for value in values if value is not None]
    if not known:
        return '—'
    if decimals is not None:
        return f'{statistics.mean(known):.{decimals}f}'
    text = f'{statistics.mean(known):.1f}'
    return text if len(known) == 1 else f'{text} ± {statistics.stdev(known):.1f}'


def by_method(results: dict, setting: str) -> dict[str, list[dict]]:
    """The results of one setting, a method's seeds together."""
    found = defaultdict(list)
    for cell, result in results.items():
        if cell.setting == setting:
            found[cell.method].append(result)
    return found


def _best(found: dict[str, list[dict]], task: int, unranked: Sequence[str]) -> set[str]:
    """The methods with the highest H, if the original can be ranked against.

    That is, the first and whoever is behind it by no more than its standard deviation, or
    :data:`LEAST_SLACK`.
    """
    found = {method: results for method, results in found.items() if method not in unranked}
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


def leading(found: dict[str, list[dict]], apart: Sequence[str] = (), number: int = 4
            ) -> list[str]:
    """The methods with the highest mean H after the last task, some apart."""
    values = {method: [task_values(r)['H'] for r in results]
              for method, results in found.items() if method not in apart}
    means = {method: statistics.mean(hs) for method, hs in values.items() if None not in hs}
    return sorted(means, key=means.get, reverse=True)[:number]


def setting_table(methods: Sequence[str], found: dict[str, list[dict]], task: int = -1,
                  unranked: Sequence[str] = (), titles: Sequence[str] = ()) -> str:
    """The numbers of one task of a setting, a row a method that has results.

    Args:
        methods (list[str]): The rows, in order.
        found (dict[str, list[dict]]): See :func:`by_method`.
        task (int): Number of the task, from 0 on.
        unranked (list[str]): Methods that are never marked as best.
        titles (list[str]): Some columns; by default all that have a number.
    """
    def value(result: dict, key: str) -> float | None:
        known = result['tasks'][task]
        return known[key] if key in _COSTS else task_values(result, task)[key]

    def shown(runs: list[dict], key: str, scale: float) -> str:
        values = [value(r, key) for r in runs]
        # What else the machine did only adds to the costs.
        return summary([min(values)] if key in _COSTS else values, scale, _DECIMALS.get(key))

    found = {method: found[method] for method in methods if found.get(method)}
    results = [r for rs in found.values() for r in rs]
    columns = [column for column in _COLUMNS if column[0] in (titles or (column[0], )) and (
        column[1].startswith('H') or any(value(r, column[1]) is not None for r in results))]
    best, rows = _best(found, task, unranked), []
    if results:
        before = results[0]['tasks'][task]['original']
        rows.append(['Original', '', *(
            '—' if key.startswith('H') else summary([before.get(key)])
            for _, key, _ in columns)])
    for method, runs in found.items():
        cells = {title: shown(runs, key, scale) for title, key, scale in columns}
        if method in best and 'H' in cells:
            cells['H'] = f'**{cells["H"]}**'
        rows.append([method, tunable(runs), *cells.values()])
    return markdown_table(['method', 'tunable %', *(title for title, _, _ in columns)], rows)


def tunable(results: Iterable[dict]) -> str:
    """Share of trained parameters, in percent."""
    shares = {r['tasks'][0]['trainable_parameters'] / r['tasks'][0]['total_parameters']
              for r in results}
    return ', '.join(f'{100 * share:.2f}' for share in sorted(shares)) or '—'


def overview(methods: list[str], settings: list[str], results: dict,
             unranked: Sequence[str] = ()) -> str:
    """H of all methods in all settings, of a sequence after its last task."""
    found = {setting: by_method(results, setting) for setting in settings}
    best = {setting: _best(found[setting], -1, unranked) for setting in settings}
    rows = []
    for method in methods:
        cells = []
        for setting in settings:
            text = summary(task_values(r)['H_relative'] for r in found[setting][method])
            cells.append(f'**{text}**' if method in best[setting] else text)
        runs = [r for setting in settings for r in found[setting][method]]
        rows.append([method, tunable(runs), *cells])
    return markdown_table(['H / H_max (%)', 'tunable %', *settings], rows)


def to_markdown(methods: list[str], settings: list[str], results: dict,
                unranked: Sequence[str] = (), ablations: Sequence[str] = ()) -> str:
    """All tables: the overview, then every setting that has results.

    Args:
        methods (list[str]): The rows, in order.
        settings (list[str]): One table each, in order; a sequence has one a task.
        results (dict): Cell -> result, see :meth:`Comparison.results`.
        unranked (list[str]): Methods that are never marked as best.
        ablations (list[str]): Methods that have tables of their own.
    """
    compared = [method for method in methods if method not in ablations]
    parts = [LEGEND, overview(compared, settings, results, unranked)]
    for setting in settings:
        found = by_method(results, setting)
        tasks = max((len(r['tasks']) for rs in found.values() for r in rs), default=0)
        for task in range(tasks):
            title = f'{setting}, task {task + 1}' if tasks > 1 else setting
            parts.append(f'### {title}\n\n{setting_table(compared, found, task, unranked)}')
            if any(found.get(method) for method in ablations):
                parts.append('What does the work:\n\n'
                             + setting_table(ablations, found, task, ablations))
    return '\n\n'.join(parts)
