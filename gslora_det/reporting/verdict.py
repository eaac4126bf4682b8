"""The verdict on a sequence in plain words: what is left, what was lost, does it stay so?"""

from typing import NamedTuple

from gslora_det.evaluation import LEAST_AP, erased_up_to, mean_ap
from gslora_det.reporting.answer import FAIR_COST, GONE, NAMED, PARTLY_GONE, SMALL_COST, Answer
from gslora_det.reporting.brought_back import brought_back
from gslora_det.reporting.erased_sets import erased_sets
from gslora_det.reporting.fates import found_forgotten, found_retained, lost_above
from gslora_det.reporting.resets import resets_rows
from gslora_det.words import percent, plural, share


class Verdict(NamedTuple):
    """A headline and four answers: are the forgotten classes still detected, did the rest suffer,
    did it stay erased during later requests, can it be brought back."""

    headline: str
    answers: tuple[Answer, Answer, Answer, Answer]


def _shares(before, after, found, score_thr) -> tuple[list[float], str]:
    """Shares of the original by AP and, where counted, by objects; and how the page says it."""
    shares = [after / before]
    text = f' (AP {percent(before)} before, {percent(after)} now)'
    if found and found.before:
        shares.append(found.share)
        text += (f'; by count, {share(found.share)} ({found.own_name:,} of '
                 f'{plural(found.before, "object")} above a score of {score_thr:g})')
    return shares, f'{share(shares[0])}{text}.'


def _not_measured(question, role, before, rule) -> Answer:
    return Answer(question, 'unknown', 'Not measured',
                  'It cannot be judged: the original finds nothing, or next to nothing, of the '
                  f'{role} classes in the validation images (AP {percent(before)}).', rule)


def _erasure(record, found, score_thr) -> Answer:
    question = 'Are the forgotten classes still detected?'
    rule = (f'No if at most {share(GONE, 0)} of the original is left on average and at most '
            f'{share(PARTLY_GONE, 0)} of any class, in part if at most {share(PARTLY_GONE, 0)} on '
            'average, otherwise yes.')
    names = [name for row in erased_sets(record) for name in row.classes]
    first, last = record['original']['per_class'], record['tasks'][-1]['per_class']
    before, after = mean_ap(first, names), mean_ap(last, names)
    if (before or 0) < LEAST_AP or after is None:
        return _not_measured(question, 'forgotten', before, rule)
    shares, text = _shares(before, after, found, score_thr)
    text = f'Left of the {plural(len(names), "forgotten class")}: by AP, {text}'
    left = {name: last[name] / first[name] for name in names
            if (first[name] or 0) >= LEAST_AP and last[name] is not None}
    worst = max(left, key=left.get)
    above = sorted((name for name in left if left[name] > GONE), key=left.get, reverse=True)
    alone = (f'{len(above)} of the {len(names)} {"is" if len(above) == 1 else "are"} above '
             f'{share(GONE, 0)}')
    if above:
        text += f' Taken alone, {alone}: '
        text += ', '.join(f'“{name}” {share(left[name])}' for name in above[:NAMED])
        text += ', …' if len(above) > NAMED else '.'
    else:
        text += (f' None is above {share(GONE, 0)} taken alone; the least completely forgotten '
                 f'is “{worst}”: {share(left[worst])}.')
    if resets_rows(record):
        text += (' The class rows were reset, so this alone proves nothing: see the fourth '
                 'question.')
    if max(shares) <= GONE and left[worst] <= PARTLY_GONE:
        word = f'No, but {alone}' if above else 'No'
        return Answer(question, 'good', word, text, rule)
    if max(shares) <= PARTLY_GONE:
        return Answer(question, 'fair', 'In part', text, rule)
    return Answer(question, 'bad', 'Yes', text, rule)


def _cost(record, found, score_thr) -> Answer:
    question, task = 'Did the rest suffer?', record['tasks'][-1]
    rule = (f'Hardly if at least {share(SMALL_COST, 0)} of the original is kept, noticeably if at '
            f'least {share(FAIR_COST, 0)}, otherwise badly.')
    forgotten = erased_up_to(record, task['task'])
    first, last = record['original']['per_class'], task['per_class']
    before, after = task['original']['AP_retained'], task['metrics']['AP_retained']
    if (before or 0) < LEAST_AP or after is None:
        return _not_measured(question, 'retained', before, rule)
    shares, text = _shares(before, after, found, score_thr)
    losses = {name: first[name] - last[name] for name in last
              if name not in forgotten and last[name] is not None}
    worst = max(losses, key=losses.get)
    text = (f'Kept of the {plural(len(last) - len(forgotten), "retained class")}: by AP, {text} '
            f'Hit hardest is “{worst}”: AP {percent(first[worst])} before, '
            f'{percent(last[worst])} now.{lost_above(task)}')
    if min(shares) >= SMALL_COST:
        return Answer(question, 'good', 'Hardly', text, rule)
    if min(shares) >= FAIR_COST:
        return Answer(question, 'fair', 'Noticeably', text, rule)
    return Answer(question, 'bad', 'Badly', text, rule)


def _stay(record) -> Answer:
    question = 'Did it stay erased during later requests?'
    rule = (f'A forgotten set comes back when it has more than {share(GONE, 0)} of its original '
            'AP after a later request; where its own left more than that, so much more.')

    def returned(after, row) -> bool:
        limit = GONE * row.before
        return after > limit + (row.left if row.left > limit else 0)

    later = [
        (returned(after, row), after / row.before, after, row, number)
        for row in erased_sets(record) if (row.before or 0) >= LEAST_AP
        and row.left is not None and row.left <= PARTLY_GONE * row.before
        for number, after in enumerate(row.after, 1) if number > max(row.task, 1)
    ]
    if not later and len(record['tasks']) == 1:
        return Answer(question, 'unknown', 'Not tested',
                      'One request was carried out: nothing came later.', rule)
    if not later:
        return Answer(question, 'unknown', 'Nothing to judge',
                      'No request before the last one erased classes that the original finds.',
                      rule)
    back = len({row.task for is_back, _, _, row, _ in later if is_back})
    _, left, after, row, number = max(later, key=lambda x: x[:2])
    text = (f'{plural(back, "set") if back else "None"} came back. The highest is AP '
            f'{percent(after)}, {share(left)} of the original {percent(row.before)}: the set '
            + (f'of request {row.task}' if row.task else 'erased before')
            + f', after request {number}.')
    level, word = ('bad', 'No') if back else ('good', 'Yes')
    return Answer(question, level, word, text, rule)


_HEADLINES = {  # by the levels of erasure and cost
    ('good', 'good'): 'It no longer detects the forgotten classes, and the rest hardly suffered',
    ('good', 'fair'):
        'It no longer detects the forgotten classes, but the rest suffered noticeably',
    ('good', 'bad'): 'It no longer detects the forgotten classes, but the rest suffered badly',
    ('fair', 'good'): 'It still detects the forgotten classes in part',
    ('fair', 'fair'):
        'It still detects the forgotten classes in part, and the rest suffered noticeably',
    ('fair', 'bad'): 'It still detects the forgotten classes in part, and the rest suffered badly',
    ('bad', 'good'): 'It still detects the forgotten classes',
    ('bad', 'fair'): 'It still detects the forgotten classes, and the rest suffered noticeably',
    ('bad', 'bad'): 'It still detects the forgotten classes, and the rest suffered badly',
}


# What the headline of an unfinished sequence adds, by the level of the answer.
_FINDINGS = (
    dict(fair='they are still detected in part', bad='they are still detected',
         unknown='what is left of them cannot be judged'),
    dict(fair='the rest suffered noticeably', bad='the rest suffered badly',
         unknown='what is kept of the rest cannot be judged'),
    dict(bad='forgotten classes came back'),
    dict(fair='attacks bring forgotten classes back in part',
         bad='attacks bring forgotten classes back'),
)


def so_far(record) -> str:
    """``'30 of 70'``, the classes erased of those to be erased; empty if all requests are done.

    Args:
        record (dict): The content of ``sequence.json``.
    """
    done, asked = record['tasks'], record['request']
    if len(done) >= len(asked):
        return ''
    return f'{sum(len(task["forgotten"]) for task in done)} of {sum(map(len, asked))}'


def _unfinished(record, answers) -> Verdict:
    """The verdict while requests are left: what is wrong is said, nothing is a success yet."""
    progress = so_far(record)
    findings = [words[answer.level] for words, answer in zip(_FINDINGS, answers)
                if answer.level in words]
    headline = f'{progress} requested so far'
    if findings:
        headline += f', but {", and ".join(findings)}'
    erasure, cost, stay, back = answers
    words = (f'{progress} so far',
             cost.word if cost.level == 'unknown' else f'{cost.word} so far',
             *(f'{answer.word} so far' if answer.level == 'good' else answer.word
               for answer in (stay, back)))
    erasure = erasure._replace(
        text=f'{progress} classes, in {len(record["tasks"])} of '
             f'{plural(len(record["request"]), "request")}. {erasure.text}',
        rule=f'To be answered after the last request: {erasure.rule[0].lower()}'
             f'{erasure.rule[1:]}')
    return Verdict(headline, tuple(
        answer._replace(word=word, level='unknown' if answer.level == 'good' else answer.level)
        for answer, word in zip((erasure, cost, stay, back), words)))


def verdict(record, found=None, attacks=(), score_thr: float = 0.3) -> Verdict:
    """Judges the state after the last task, over all validation images.

    An unfinished sequence is never called a success: its headline and its first answer say how
    far it is. Two measures tell what is left and what is kept, AP and the count of objects; where
    both are known, the worse one decides.

    Args:
        record (dict): The content of ``sequence.json`` with at least one task.
        found (dict, optional): Role to what :func:`gslora_det.evaluation.found_again` counts;
            without it only AP decides.
        attacks (list[dict]): The entries of ``attacks.json``, where attacks were made.
        score_thr (float): Only detections with a score above it were counted.
    """
    answers = (_erasure(record, found and found_forgotten(found), score_thr),
               _cost(record, found and found_retained(found), score_thr), _stay(record),
               brought_back(record, attacks))
    if so_far(record):
        return _unfinished(record, answers)
    headline = _HEADLINES.get((answers[0].level, answers[1].level), 'It cannot be judged')
    if answers[2].level == 'bad':
        headline += ', and forgotten classes came back'
    if answers[3].level in _FINDINGS[3] and answers[0].level in ('good', 'fair'):
        headline += f'; {_FINDINGS[3][answers[3].level]}'
    return Verdict(headline, answers)
