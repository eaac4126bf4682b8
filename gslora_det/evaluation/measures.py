"""What is derived from APs: means, and how much is kept and gone."""


# Less than this in the original is no measure of what became of it.
LEAST_AP = 0.02


def erased_up_to(record: dict, task: int) -> list[str]:
    """All classes that are erased after a task, earlier sequences' first.

    Args:
        record: The content of ``sequence.json``.
        task: Its number; 0 for what earlier sequences erased.
    """
    return [*record.get('erased_before', ()),
            *(name for each in record['tasks'][:task] for name in each['forgotten'])]


def mean_ap(per_class, names) -> float | None:
    """Mean AP of some classes, which is COCO's AP over them.

    Args:
        per_class (dict[str, float | None]): AP of each class; None where there is no
            object to find.
        names (list[str]): The classes.

    Returns:
        A fraction, or None if none of them was measured.
    """
    measured = [per_class[name] for name in names if per_class[name] is not None]
    return sum(measured) / len(measured) if measured else None


def h_mean(ap_retained: float | None, ap_forgotten_before: float | None,
           ap_forgotten_now: float | None) -> float | None:
    """H = 2 AP_r Drop / (AP_r + Drop) of GS-LoRA (arXiv 2403.11530).

    Drop = AP_f(before) - AP_f(now), and 0 where the forgotten classes got better.

    Args:
        ap_retained: AP of the retained classes now.
        ap_forgotten_before: AP of the forgotten classes of the original model.
        ap_forgotten_now: AP of the forgotten classes now.

    Returns:
        H in the unit of the arguments, 0 where nothing is kept and nothing dropped,
        None where one of the three was not measured.
    """
    if None in (ap_retained, ap_forgotten_before, ap_forgotten_now):
        return None
    drop = max(ap_forgotten_before - ap_forgotten_now, 0.0)
    total = ap_retained + drop
    return 2 * ap_retained * drop / total if total else 0.0


def ratio(value: float | None, whole: float | None) -> float | None:
    """``value / whole``; None where one of them was not measured or the whole is nearly zero.

    Nearly zero is below :data:`LEAST_AP`.
    """
    return None if value is None or (whole or 0) < LEAST_AP else value / whole


def h_ratio(metrics: dict) -> float | None:
    """H over H_max, at most 1; see :func:`ratio`.

    H_max takes the original's AP on the retained classes: where that rose a little, H is above
    it, but no erasure is more than perfect.
    """
    found = ratio(metrics.get('H'), metrics.get('H_max'))
    return None if found is None else min(found, 1.0)
