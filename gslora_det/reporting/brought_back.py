"""Can the forgotten classes be brought back? The answer of the first screen."""

from gslora_det.evaluation import (
    LEAST_AP,
    attack_rows,
    beyond_oracle,
    counted_attacks,
    erased_up_to,
    mean_ap,
)
from gslora_det.reporting.answer import GONE, NAMED, PARTLY_GONE, Answer
from gslora_det.words import percent, plural, share

_RULE = (f'Not by these attacks if the worst finds at most {share(GONE, 0)} of the original AP '
         f'beyond the oracle, in part if at most {share(PARTLY_GONE, 0)} and at most half of what '
         'the oracle lacks, otherwise yes; of several attacked requests, the worst decides. '
         'Attacks whose controls misbehave are void, and where the oracle finds as much as the '
         'original, an attack cannot tell.')
_WORDS = dict(good='Not by these attacks', fair='In part', bad='Yes', unknown='Cannot be said')
_WHETHER = 'Whether the forgotten classes can be brought back: '
_LAST_UNKNOWN = 'the detector after the last request was not attacked.'


def brought_back(record, entries) -> Answer:
    """Can the forgotten classes be brought back after any of the attacked requests?

    What attacks bring back after one request stands, whatever is unknown of another. That they
    bring nothing back must be known of the last request: it erased all classes so far.

    Args:
        record (dict): The content of ``sequence.json`` with at least one task.
        entries (list[dict]): Those of ``attacks.json``.
    """
    if not entries:
        return _unknown('No attack was made. To test it, run: gslora attack WORK_DIR',
                        f'{_WHETHER}no attack was made.', 'Not tested')
    tasks = sorted({entry['task'] for entry in entries})
    *_, last = answers = [_after(record, entries, task) for task in tasks]
    back = dict(fair=1, bad=2)
    worst = max(reversed(answers), key=lambda answer: back.get(answer.level, 0))
    text = worst.text if worst is last else f'{worst.text} {last.text}'
    if tasks[-1] == len(record['tasks']):
        return worst._replace(text=text, doubt=last.doubt)
    if worst.level == 'good':
        worst = worst._replace(level='unknown', word=_WORDS['unknown'])
    return worst._replace(text=f'{text} {_LAST_UNKNOWN.capitalize()}',
                          doubt=last.doubt or f'{_WHETHER}{_LAST_UNKNOWN}')


def _answer(level: str, text: str, finding: str = '', doubt: str = '', word: str = '') -> Answer:
    return Answer('Can it be brought back?', level, word or _WORDS[level], text, _RULE, finding,
                  doubt)


def _unknown(text: str, doubt: str, word: str = '') -> Answer:
    return _answer('unknown', text, doubt=doubt, word=word)


def _after(record, entries, task: int) -> Answer:
    """The answer of the attacks after one request."""
    before = mean_ap(record['original']['per_class'], erased_up_to(record, task))
    void = _void(entries, task)
    counted = counted_attacks(entries, task)
    if not counted:
        return _unknown(f'Attacks were made after request {task}, but none of them tells how '
                        f'much AP comes back.{void}',
                        f'{_WHETHER}no attack after request {task} tells.', 'Not tested')
    if (before or 0) < LEAST_AP:
        return _unknown('It cannot be judged: the original finds nothing, or next to nothing, of '
                        f'the forgotten classes (AP {percent(before)}).',
                        f'{_WHETHER}the original hardly finds them.')
    answer = _judged(counted, before, task)
    return answer._replace(text=f'The worst{_of(counted)} after request {task}: '
                                f'{answer.text}{void}')


def _of(counted) -> str:
    """``' of 2 attacks in 3 settings'``; empty for one attack in one setting."""
    if len(counted) == 1:
        return ''
    attacks = len({row['attack'] for row in counted})
    settings = f' in {len(counted)} settings' if attacks < len(counted) else ''
    return f' of {plural(attacks, "attack")}{settings}'


def _judged(counted, before: float, task: int) -> Answer:
    """The answer of attacks that count, of which at least one was made."""
    worst = _worst(counted, before)
    level, text = _level(worst, before), _sentence(worst, before)
    if level == 'good':
        if max(row['found'].get('head mask') or 0 for row in counted) < 50 * before:
            return _unknown(f'{text} No attack brings back even the head mask: they would miss '
                            'what is only hidden.',
                            f'{_WHETHER}the attacks would miss what is only hidden.')
    elif worst['found'].get('oracle') is None:
        doubt = (f'Whether the forgotten classes are gone: an attack after request {task} brought '
                 f'back AP {worst["found"]["unlearned"]:.1f} of {percent(before)}, and without a '
                 'detector that never saw them nobody knows how much of that is left over.')
        text += (' Without an oracle, a detector that never saw the classes, it cannot be '
                 'concluded whether this was left over or learned anew.')
        # What others find beyond an oracle tells still.
        compared = [row for row in counted if row['found'].get('oracle') is not None]
        if not compared or _level(_worst(compared, before), before) == 'good':
            return _unknown(text, doubt)
        worst = _worst(compared, before)
        return _answer(_level(worst, before), f'{text} The worst of those with an oracle: '
                       f'{_sentence(worst, before)}', _finding(worst, before, task), doubt)
    return _answer(level, text, _finding(worst, before, task))


def _worst(rows, before: float) -> dict:
    return max(rows, key=lambda row: (('good', 'fair', 'bad').index(_level(row, before)),
                                      beyond_oracle(row)))


def _level(row, before: float) -> str:
    left = beyond_oracle(row) / (100 * before)
    lacks = 1 - (row['found'].get('oracle') or 0.0) / (100 * before)
    return 'good' if left <= GONE else 'fair' if left <= min(PARTLY_GONE, lacks / 2) else 'bad'


def _finding(row, before: float, task: int) -> str:
    """What an attack brought back, for who reads nothing else."""
    oracle = row['found'].get('oracle')
    beside = '' if oracle is None else f', and a detector that never saw them to {oracle:.1f}'
    return (f'The worst attack after request {task} brought the classes forgotten by then back to '
            f'AP {row["found"]["unlearned"]:.1f} of {percent(before)}{beside}.')


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
