"""What the outcome of attacks says, and whether it may be believed.

Entries are those of ``attacks.json``: what one attack found in one detector, as a curve.
"""


# What is attacked, in the order of a table's columns.
DETECTORS = ('unlearned', 'oracle', 'head mask', 'original', 'shuffled labels',
             'retained classes')
_LIKE = 0.02  # where an oracle lacks no more than this of what the original has, it is alike


def most(entry: dict | None) -> float | None:
    """The most that an attack found, over its curve; None where it was not made."""
    if not entry or not entry['curve']:
        return None
    return max(point[entry['measures']] for point in entry['curve'])


def by_detector(entries: list[dict], attack: str, setting: str, task: int) -> dict[str, dict]:
    """The entries of one attack on one task, by the detector that was attacked."""
    return {entry['detector']: entry for entry in entries
            if (entry['attack'], entry['setting'], entry['task']) == (attack, setting, task)}


def why_void(found: dict[str, dict], as_it_is: float | None = None) -> str | None:
    """Why an attack proves nothing, or None where its controls behave.

    Args:
        found (dict[str, dict]): Its entries, see :func:`by_detector`.
        as_it_is (float, optional): AP of the original without an attack, in percent, for attacks
            that are not made on it.
    """
    kind = next(iter(found.values()))
    known = most(found.get('original'))
    if known is None and kind['measures'] == 'AP_forgotten':
        known = as_it_is
    if known is None:
        return None
    chance = kind['chance']
    half = chance + (known - chance) / 2
    hidden, shuffled = most(found.get('head mask')), most(found.get('shuffled labels'))
    if kind['finds_hidden'] and hidden is not None and hidden < half:
        return f'it finds {hidden:.1f} in the head mask and {known:.1f} in the original'
    if shuffled is not None and shuffled >= half:
        return f'with shuffled labels it finds {shuffled:.1f}'
    return None


def attack_rows(entries: list[dict]) -> list[dict]:
    """A row for each attack on each task: the most that was found in each detector.

    ``name`` is that of the attack with its variant, such as ``'new head, lr 0.01'``.
    """
    keys = dict.fromkeys((entry['task'], entry['attack'], entry['setting']) for entry in entries)
    result = []
    for task, attack, setting in keys:
        found = by_detector(entries, attack, setting, task)
        kind = next(iter(found.values()))
        as_it_is = most(by_detector(entries, 'as it is', '', task).get('original'))
        result.append(dict(
            task=task, attack=attack, setting=setting,
            name=', '.join(filter(None, (attack, setting))), title=kind['title'],
            measures=kind['measures'], needs_original=kind['needs_original'],
            chance=kind['chance'], void=why_void(found, as_it_is),
            found={name: most(entry) for name, entry in found.items()}))
    return result


def is_blind(row: dict) -> bool:
    """Whether an attack cannot tell what is left over: the oracle reads like the original."""
    oracle, original = map(row['found'].get, ('oracle', 'original'))
    return (None not in (oracle, original)
            and original - oracle <= _LIKE * (original - row['chance']))


def counted_attacks(entries: list[dict], task: int) -> list[dict]:
    """The rows of attacks that tell how much AP can be brought back after a task.

    Void attacks do not count, nor do those that cannot tell, nor those that need the original's
    weights: who has them need not bring anything back.
    """
    return [row for row in attack_rows(entries)
            if row['task'] == task and row['measures'] == 'AP_forgotten' and not row['void']
            and not is_blind(row) and not row['needs_original']
            and row['found'].get('unlearned') is not None]


def beyond_oracle(row: dict) -> float:
    """What an attack found in the unlearned detector, beyond the oracle where there is one."""
    return row['found']['unlearned'] - (row['found'].get('oracle') or 0.0)
