"""The fates of the objects in the validation images: counts, sentences, a table."""

from __future__ import annotations

from typing import NamedTuple

from gslora_det.evaluation.box_fates import ROLES
from gslora_det.words import plural, share

MEANINGS = {
    'erased': 'of a forgotten class; the original found it, nothing finds it now',
    'survived': 'of a forgotten class, but still found as this class',
    'kept': 'of a retained class, and still found',
    'lost': 'of a retained class, but found no more',
    'renamed': 'found by the original as its class, now only under another name',
    'missed': 'not found under its right name by the original either',
    'ghost': 'not an object but a new detection, where its class has no object',
}
_NEVER = {'forgotten': ('kept', 'lost'), 'old': ('kept', 'lost'),
          'retained': ('erased', 'survived')}


class Found(NamedTuple):
    """Objects that the original finds under their own name, and what finds them now.

    Attributes:
        before: Their number.
        own_name: How many are still found as their class.
        other_name: How many are found only as another class.
    """

    before: int
    own_name: int
    other_name: int

    @property
    def share(self) -> float | None:
        """The fraction still found as their class; None if there was nothing to find."""
        return self.own_name / self.before if self.before else None


def count_found(roles, *names) -> Found:
    """Counts the objects of some roles.

    Args:
        roles (dict): Role to fate to count, see ``fate_summary``.
        names (str): The roles.
    """
    def count(*fates):
        return sum(roles[name].get(fate, 0) for name in names for fate in fates)

    own, other = count('survived', 'kept'), count('renamed')
    return Found(own + other + count('erased', 'lost'), own, other)


def found_forgotten(roles) -> Found:
    """:func:`count_found` of all classes forgotten so far."""
    return count_found(roles, 'forgotten', 'old')


def found_retained(roles) -> Found:
    """:func:`count_found` of the retained classes."""
    return count_found(roles, 'retained')


def fates_in_words(roles, score_thr: float) -> str:
    """What became of the objects that the original found, in a few sentences.

    Args:
        roles (dict): Role to fate to count, see ``fate_summary``.
        score_thr (float): Only detections with a score above it were counted.
    """
    gone, kept = found_forgotten(roles), found_retained(roles)
    missed = sum(found.get('missed', 0) for found in roles.values())
    return (
        f'Counting detections that the detector is reasonably sure of (score above '
        f'{score_thr:g}): of the {gone.before:,} forgotten objects in the validation images '
        f'that the original finds, the detector now finds {gone.own_name:,} under their own '
        f'name, {gone.other_name:,} under a wrong name, and '
        f'{gone.before - gone.own_name - gone.other_name:,} not at all. Of the '
        f'{kept.before:,} retained objects that the original finds, it now finds '
        f'{kept.own_name:,}. The original misses {missed:,} of all '
        f'{plural(gone.before + kept.before + missed, "object")}.')


def _of_erased(roles) -> Found:
    """The objects of all classes erased so far, from the counts of each role."""
    return Found(*(roles['forgotten'][key] + roles['old'][key] for key in Found._fields))


def objects_in_words(objects) -> str:
    """What an erasure cost and left, counted at several thresholds, in one line.

    Args:
        objects (dict): Score threshold as text to the counts of ``found_again``, as a record
            has it.
    """
    lost = ', '.join(
        f'{found["before"] - found["own_name"]:,} of {found["before"]:,} above a score of '
        f'{score_thr}' for score_thr, found in (
            (key, roles['retained']) for key, roles in objects.items()))
    score_thr, gone = next((key, _of_erased(roles)) for key, roles in objects.items())
    return (f'of retained objects that the original finds, lost: {lost}; of erased ones above '
            f'{score_thr}, under another name: {gone.other_name:,} of {gone.before:,}')


def lost_above(task) -> str:
    """The retained objects lost above the highest score that was counted, in a few words.

    Args:
        task (dict): A task of ``sequence.json``; empty where it counted no objects.
    """
    objects = task.get('objects')
    if not objects:
        return ''
    score_thr = max(objects, key=float)
    kept = Found(**objects[score_thr]['retained'])
    if not kept.before:
        return ''
    lost = kept.before - kept.own_name
    return (f' Of the objects found before with a score above {score_thr}, {lost:,} of '
            f'{kept.before:,} are lost ({share(lost / kept.before)}).')


def objects_table(record) -> tuple[list[str], list[list[str]]]:
    """The same after each task, as a table; no rows where objects were not counted.

    Args:
        record (dict): The content of ``sequence.json``.
    """
    tasks = [task for task in record['tasks'] if task.get('objects')]
    if not tasks:
        return [], []

    def cell(part: int, whole: int) -> str:
        return f'{part:,} of {whole:,} ({100 * part / whole:.1f} %)' if whole else '—'

    score_thrs = list(tasks[0]['objects'])
    titles = ['Task', *(f'Lost > {key}' for key in score_thrs), f'Renamed > {score_thrs[0]}']
    rows = []
    for task in tasks:
        kept = [Found(**task['objects'][key]['retained']) for key in score_thrs]
        gone = _of_erased(task['objects'][score_thrs[0]])
        rows.append([str(task['task']),
                     *(cell(found.before - found.own_name, found.before) for found in kept),
                     cell(gone.other_name, gone.before)])
    return titles, rows


def fate_rows(summary) -> list[tuple[str, list[str]]]:
    """The table of fates, a row for each role that has objects.

    Args:
        summary (dict): See :func:`gslora_det.evaluation.fate_summary`.

    Returns:
        A title, and the cells: objects of each fate but ghosts, then the share with
        any box before and now, then ghosts; ``–`` where a fate cannot befall the role.
    """
    titles = dict(forgotten='forgotten in the last request',
                  old='forgotten in earlier requests', retained='retained')

    def cell(role, fate):
        return '–' if fate in _NEVER[role] else f'{summary["roles"][role].get(fate, 0):,}'

    return [
        (titles[role], [
            *(cell(role, fate) for fate in MEANINGS if fate != 'ghost'),
            *(share(summary['recall'][role][moment]) for moment in ('before', 'after')),
            cell(role, 'ghost')])
        for role in ROLES if summary['recall'][role]['objects']
    ]  # fmt: skip
