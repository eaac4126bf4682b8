"""What attacks on the detectors found: the answer of the first screen, tables and curves."""

from __future__ import annotations

from gslora_det.evaluation import (
    DETECTORS,
    LEAST_AP,
    attack_rows,
    beyond_oracle,
    by_detector,
    counted_attacks,
    mean_ap,
    worst_attack,
)
from gslora_det.reporting.answer import GONE, NAMED, PARTLY_GONE, Answer
from gslora_det.reporting.figures import recovery_svg
from gslora_det.words import percent, share

_WORDS = dict(good='Not by these attacks', fair='In part', bad='Yes', unknown='Cannot be said')


def attack_tables(entries) -> dict[int, list[dict]]:
    """The rows of :func:`attack_rows` by task, with ``measured`` and ``cells``."""
    tables = {}
    for row in attack_rows(entries):
        cells = [percent(None if found is None else found / 100)
                 for found in map(row['found'].get, DETECTORS)]
        tables.setdefault(row['task'], []).append(dict(
            row, cells=cells,
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


def brought_back(record, entries) -> Answer:
    """Can the forgotten classes be brought back after the last request that was attacked?

    Args:
        record (dict): The content of ``sequence.json`` with at least one task.
        entries (list[dict]): Those of ``attacks.json``.
    """
    rule = (f'Not by these attacks if the worst finds at most {share(GONE, 0)} of the original '
            f'AP beyond the oracle, in part if at most {share(PARTLY_GONE, 0)}, otherwise yes. '
            'Attacks whose controls misbehave are void.')

    def answer(level: str, text: str, word: str = '') -> Answer:
        return Answer('Can it be brought back?', level, word or _WORDS[level], text, rule)

    if not entries:
        return answer('unknown', 'No attack was made. To test it, run: gslora attack '
                                 'WORK_DIR', 'Not tested')
    task = max(entry['task'] for entry in entries)
    erased = [*record.get('erased_before', ()),
              *(name for each in record['tasks'][:task] for name in each['forgotten'])]
    before, void = mean_ap(record['original']['per_class'], erased), _void(entries, task)
    counted, worst = counted_attacks(entries, task), worst_attack(entries, task)
    if worst is None:
        return answer('unknown', f'Attacks were made after request {task}, but none of them '
                                 f'tells how much AP comes back.{void}', 'Not tested')
    if (before or 0) < LEAST_AP:
        return answer('unknown', 'It cannot be judged: the original finds nothing, or next to '
                                 f'nothing, of the forgotten classes (AP {percent(before)}).')
    of = f' of {len(counted)} attacks' if len(counted) > 1 else ''
    level, text = _judged(counted, worst, before)
    text = f'The worst{of} after request {task}: {text}'
    if level == 'good' and task < len(record['tasks']):
        level = 'unknown'
        text += ' The detector after the last request was not attacked.'
    return answer(level, text + void)


def _judged(counted, worst, before: float) -> tuple[str, str]:
    """Level and sentences of attacks that count, of which at least one was made."""
    level, text = _level(worst, before), _sentence(worst, before)
    if level == 'good':
        if max(row['found'].get('head mask') or 0 for row in counted) < 50 * before:
            return 'unknown', (f'{text} No attack brings back even the head mask: they would miss '
                               'what is only hidden.')
    elif worst['found'].get('oracle') is None:
        text += (' Without an oracle, a detector that never saw the classes, it cannot be '
                 'concluded whether this was left over or learned anew.')
        # What others find beyond an oracle tells still.
        compared = [row for row in counted if row['found'].get('oracle') is not None]
        worst = max(compared, key=beyond_oracle, default=None)
        if not worst or _level(worst, before) == 'good':
            return 'unknown', text
        return _level(worst, before), (
            f'{text} The worst of those with an oracle: {_sentence(worst, before)}')
    return level, text


def _level(row, before: float) -> str:
    left = beyond_oracle(row) / (100 * before)
    return 'good' if left <= GONE else 'fair' if left <= PARTLY_GONE else 'bad'


def _sentence(row, before: float) -> str:
    """What an attack found, beside the oracle and the head mask where it was made on them."""
    controls = {'oracle': 'in the oracle, which never saw them',
                'head mask': 'in the head mask, which only hides them'}
    beside = [f'{row["found"][name]:.1f} {what}' for name, what in controls.items()
              if row['found'].get(name) is not None]
    title = f' ({row["title"]})' if row['title'] else ''
    return (f'“{row["name"]}”{title} finds AP {row["found"]["unlearned"]:.1f} on the '
            f'forgotten classes (original {percent(before)})'
            + f'; the same attack finds {", and ".join(beside)}' * bool(beside) + '.')


def _void(entries, task: int) -> str:
    names = [f'“{row["name"]}”' for row in attack_rows(entries)
             if row['task'] == task and row['void']]
    if not names:
        return ''
    more = ', …' if len(names) > NAMED else '.'
    return f' Void, not counted: {", ".join(names[:NAMED])}{more}'
