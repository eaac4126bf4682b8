"""What attacks on the detectors found, as tables and curves."""

from gslora_det.evaluation import DETECTORS, attack_rows, by_detector, is_blind
from gslora_det.reporting.figures import recovery_svg
from gslora_det.words import percent


def attack_tables(entries) -> dict[int, list[dict]]:
    """The rows of :func:`attack_rows` by task, with ``measured``, ``cells`` and ``blind``."""
    tables = {}
    for row in attack_rows(entries):
        cells = [percent(None if found is None else found / 100)
                 for found in map(row['found'].get, DETECTORS)]
        tables.setdefault(row['task'], []).append(dict(
            row, cells=cells, blind=is_blind(row),
            measured=row['measures'].replace('AP_forgotten', 'AP')))
    return dict(sorted(tables.items()))


def recovery_curves(entries) -> list[tuple[dict, str]]:
    """A row and its plot for each attack after the last task whose AP has a course.

    That with a new head comes first: it is Fig. 6 of arXiv 2403.11530.
    """
    last = max((entry['task'] for entry in entries), default=None)
    drawn = []
    for rows in attack_tables(entries).get(last, ()):
        found = by_detector(entries, rows['attack'], rows['setting'], last)
        if rows['measures'] == 'AP_forgotten' and len(
                found.get('unlearned', dict(curve=()))['curve']) > 1:
            drawn.append((rows, found))
    drawn.sort(key=lambda each: each[0]['attack'] != 'new head')
    top = max((value or 0 for row, _ in drawn for value in row['found'].values()), default=0)
    return [(row, recovery_svg(found, max(top, 5), f'{row["name"]}, request {last}'))
            for row, found in drawn]
