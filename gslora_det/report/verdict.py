"""The verdict on a sequence in plain words: did it work, what did it cost, what returns?"""

from __future__ import annotations

from typing import NamedTuple

from gslora_det.report.erased_sets import erased_sets, mean_ap

# Conventions of this report, stated in it; all are shares of the original model's AP on
# the same classes.
GONE, PARTLY_GONE = 0.02, 0.20  # at most this is left of the erased classes
SMALL_COST, FAIR_COST = 0.95, 0.85  # at least this is kept of the retained classes
RULES = (
    f'Erased: at most {100 * GONE:.0f} % of the original AP is left on the erased classes (in '
    f'part: at most {100 * PARTLY_GONE:.0f} %). Cost: little if at least '
    f'{100 * SMALL_COST:.0f} % of the original AP is kept on the retained classes, noticeable '
    f'if at least {100 * FAIR_COST:.0f} %, otherwise much. Coming back: a set of classes that '
    f'was erased has more than {100 * GONE:.0f} % of its original AP after a later request.'
)


class Answer(NamedTuple):
    """One question with its answer.

    Attributes:
        question: What a reader asks.
        level: ``'good'``, ``'fair'``, ``'bad'`` or ``'unknown'``.
        word: The answer in one or two words.
        text: The numbers behind it, in sentences.
    """

    question: str
    level: str
    word: str
    text: str


class Verdict(NamedTuple):
    """A headline and three answers: did it work, what did it cost, what comes back."""

    headline: str
    answers: tuple[Answer, Answer, Answer]


def percent(fraction) -> str:
    """A fraction in percent with one decimal and no sign; ``—`` for None."""
    return '—' if fraction is None else f'{100 * fraction:.1f}'


def plural(count: int, noun: str) -> str:
    """``'1 class'``, ``'2 classes'``; the noun is given in the singular."""
    return f'{count:,} {noun}' + ('' if count == 1 else 'es' if noun[-1] == 's' else 's')


def _change(before, after) -> str:
    return f'{percent(before)} before, {percent(after)} now'


def _erasure(record) -> Answer:
    question, tasks = 'Did it work?', record['tasks']
    names = [name for task in tasks for name in task['forgotten']]
    first, last = record['original']['per_class'], tasks[-1]['per_class']
    before, after = mean_ap(first, names), mean_ap(last, names)
    if not before or after is None:
        return Answer(question, 'unknown', 'Not measured',
                      'The original finds nothing of the erased classes in the '
                      'validation images.')
    text = f'AP on the {plural(len(names), "erased class")}: {_change(before, after)}.'
    measured = [name for name in names if last[name] is not None]
    worst = max(measured, key=last.get)
    if len(measured) > 1:
        text += f' Most is left of “{worst}”: {_change(first[worst], last[worst])}.'
    if after <= GONE * before:
        return Answer(question, 'good', 'Yes', text)
    if after <= PARTLY_GONE * before:
        return Answer(question, 'fair', 'In part', text)
    return Answer(question, 'bad', 'No', text)


def _cost(record) -> Answer:
    question, task = 'What did it cost?', record['tasks'][-1]
    erased = {name for entry in record['tasks'] for name in entry['forgotten']}
    first, last = record['original']['per_class'], task['per_class']
    before, after = task['original']['AP_retained'], task['metrics']['AP_retained']
    if not before or after is None:
        return Answer(question, 'unknown', 'Not measured',
                      'There is nothing to find of the retained classes in the '
                      'validation images.')
    losses = {name: first[name] - last[name] for name in last
              if name not in erased and last[name] is not None}
    worst = max(losses, key=losses.get)
    text = (f'AP on the {plural(len(last) - len(erased), "retained class")}: '
            f'{_change(before, after)}; {percent(after / before)} % is kept. '
            f'Hit hardest is “{worst}”: {_change(first[worst], last[worst])}.')
    if after >= SMALL_COST * before:
        return Answer(question, 'good', 'Little', text)
    if after >= FAIR_COST * before:
        return Answer(question, 'fair', 'Noticeable', text)
    return Answer(question, 'bad', 'Much', text)


def _return(record) -> Answer:
    question = 'Does anything come back?'
    later = [
        (after / row.before, after, row, number)
        for row in erased_sets(record) if row.before
        and row.after[row.task - 1] is not None and row.after[row.task - 1] <= GONE * row.before
        for number, after in enumerate(row.after[row.task:], row.task + 1)
    ]
    if len(record['tasks']) == 1:
        return Answer(question, 'unknown', 'Not tested',
                      'There was one request, so nothing later could bring it back.')
    if not later:
        return Answer(question, 'unknown', 'Nothing to return',
                      'No request before the last one erased its classes.')
    share, after, row, number = max(later, key=lambda x: x[0])
    text = (f'The highest AP of an erased set after a later request is {percent(after)} '
            f'(request {row.task}, after request {number}); the original had '
            f'{percent(row.before)}.')
    back = len({row.task for share, _, row, _ in later if share > GONE})
    if not back:
        return Answer(question, 'good', 'No', text)
    return Answer(question, 'bad', 'Yes', f'{plural(back, "erased set")} came back. {text}')


_HEADLINES = {  # by the levels of erasure and cost
    ('good', 'good'): 'It worked, at little cost',
    ('good', 'fair'): 'It worked, at a noticeable cost',
    ('good', 'bad'): 'It erased, but did harm',
    ('fair', 'good'): 'It worked only in part',
    ('fair', 'fair'): 'It worked only in part, at a noticeable cost',
    ('fair', 'bad'): 'It worked only in part and did harm',
    ('bad', 'good'): 'It did not work',
    ('bad', 'fair'): 'It did not work, and had a cost',
    ('bad', 'bad'): 'It did not work and did harm',
}


def verdict(record) -> Verdict:
    """Judges a sequence by the AP over all validation images after its last task.

    Args:
        record (dict): The content of ``sequence.json`` with at least one task.
    """
    answers = _erasure(record), _cost(record), _return(record)
    headline = _HEADLINES.get((answers[0].level, answers[1].level), 'It cannot be judged')
    if answers[2].level == 'bad':
        headline += ', and erased classes came back'
    return Verdict(headline, answers)


def fates_in_words(roles) -> str:
    """What became of the objects that the original found, in two sentences.

    Args:
        roles (dict): Role to fate to count, see ``fate_summary``.
    """
    def count(fate, *names):
        return sum(roles[name].get(fate, 0) for name in names)

    gone = ('forgotten', 'old')
    survived, renamed = count('survived', *gone), count('renamed', *gone)
    found = survived + renamed + count('erased', *gone)
    kept = count('kept', 'retained')
    known = kept + count('lost', 'retained') + count('renamed', 'retained')
    return (f'In the validation images the original finds {plural(found, "object")} of the '
            f'erased classes; the unlearned detector finds {survived or "none"} of these as '
            f'such and {renamed or "none"} under another name. Of the retained classes the '
            f'original finds {plural(known, "object")}, and the unlearned detector '
            f'{kept or "none"} of these.')
