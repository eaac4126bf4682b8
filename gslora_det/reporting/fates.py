"""The fates of the objects in the validation images: counts, sentences, a table."""

from typing import NamedTuple

from gslora_det.evaluation.box_fates import ROLES
from gslora_det.words import plural, share

MEANINGS = {
    'erased': 'of a forgotten class; the original found it, nothing finds it now',
    'survived': 'of a forgotten class, but found as this class now',
    'kept': 'of a retained class, and found as this class now',
    'lost': 'of a retained class, but found no more',
    'renamed': 'found by the original as its class, now only under another name',
    'missed': 'found under its right name neither by the original nor now',
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


def found_forgotten(counts) -> Found:
    """The objects of all classes forgotten so far.

    Args:
        counts (dict): Role to what :func:`gslora_det.evaluation.found_again` counts.
    """
    return Found(*(counts['forgotten'][key] + counts['old'][key] for key in Found._fields))


def found_retained(counts) -> Found:
    """The same of the retained classes."""
    return Found(**counts['retained'])


def fates_in_words(summary, score_thr: float) -> str:
    """What became of the objects that the original found, in a few sentences.

    Args:
        summary (dict): See :func:`gslora_det.evaluation.fate_summary`.
        score_thr (float): Only detections with a score above it were counted.
    """
    gone, kept = found_forgotten(summary['found']), found_retained(summary['found'])
    objects = sum(seen['objects'] for seen in summary['recall'].values())
    return (
        f'Counting detections that the detector is reasonably sure of (score above '
        f'{score_thr:g}): of the {gone.before:,} forgotten objects in the validation images '
        f'that the original finds, the detector now finds {gone.own_name:,} under their own '
        f'name, {gone.other_name:,} under a wrong name, and '
        f'{gone.before - gone.own_name - gone.other_name:,} not at all. Of the '
        f'{kept.before:,} retained objects that the original finds, it now finds '
        f'{kept.own_name:,}. The original misses {objects - gone.before - kept.before:,} of all '
        f'{plural(objects, "object")}.')


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
    score_thr, gone = next((key, found_forgotten(roles)) for key, roles in objects.items())
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
        gone = found_forgotten(task['objects'][score_thrs[0]])
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
    ]
