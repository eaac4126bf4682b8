"""The harmonic mean of what is kept and what is gone."""

from __future__ import annotations


def h_mean(
    ap_retained: float | None,
    ap_forgotten_before: float | None,
    ap_forgotten_now: float | None,
) -> float | None:
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
