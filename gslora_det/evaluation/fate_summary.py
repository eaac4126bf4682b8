"""How often each fate befell the objects of many images."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from gslora_det.evaluation.box_fates import ROLES, BoxFate


def found_again(fates: Iterable[BoxFate], roles: Sequence[str]) -> dict:
    """Count the objects that the original found, and as what they are found now.

    Args:
        fates: The fates of all images, see :func:`box_fates`.
        roles: Role of each class by label, see :func:`class_roles`.

    Returns:
        Role to ``before``, their number, ``own_name``, those found as their class still,
        and ``other_name``, those found as another class only; the rest is found no more.
    """
    counts = {role: dict(before=0, own_name=0, other_name=0) for role in ROLES}
    for fate in fates:
        if fate.before is not None:
            count = counts[roles[fate.label]]
            count['before'] += 1
            count['own_name'] += fate.fate in ('kept', 'survived')
            count['other_name'] += fate.fate == 'renamed'
    return counts


def fate_summary(fates: Iterable[BoxFate], classes: Sequence[str], roles: Sequence[str]) -> dict:
    """Count the fates of all images; the result can be written as JSON.

    Args:
        fates: The fates of all images, see :func:`box_fates`.
        classes: Class names by label.
        roles: Role of each class by label, see :func:`class_roles`.

    Returns:
        ``roles``: role to fate to count. ``found``: :func:`found_again`. ``confusion``: class to
        new class to count, of the renamed objects. ``recall``: role to ``objects`` (their
        number), ``before`` and ``after``: the share of them that are matched to some
        detection, one to one, whatever its class; None without objects.
    """
    by_role: dict = {role: Counter() for role in ROLES}
    confusion: dict = defaultdict(Counter)
    seen: dict = {role: [] for role in ROLES}
    fates = list(fates)
    for fate in fates:
        role, name = roles[fate.label], classes[fate.label]
        by_role[role][fate.fate] += 1
        if fate.new_label is not None:
            confusion[name][classes[fate.new_label]] += 1
        if fate.index is not None:
            seen[role].append(fate.seen)

    def share(flags: list, moment: int) -> float | None:
        return sum(pair[moment] for pair in flags) / len(flags) if flags else None

    return dict(
        roles={role: dict(counts) for role, counts in by_role.items()},
        found=found_again(fates, roles),
        confusion={name: dict(confusion[name].most_common())
                   for name in classes if name in confusion},
        recall={role: dict(objects=len(flags), before=share(flags, 0), after=share(flags, 1))
                for role, flags in seen.items()},
    )


def lost_share(objects: dict | None, score: str) -> float | None:
    """The share of the retained objects that were found above a score and are no more.

    Args:
        objects: Score to what :func:`found_again` counts, as a record has it; None where nothing
            was counted.
        score: One of these scores, such as ``'0.5'``.

    Returns:
        A fraction, or None where nothing was counted or found.
    """
    if not objects:
        return None
    kept = objects[score]['retained']
    return 1 - kept['own_name'] / kept['before'] if kept['before'] else None
