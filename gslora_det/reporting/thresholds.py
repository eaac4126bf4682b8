"""What is found above each score threshold: a slider, a plot, and a threshold a class."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from markupsafe import Markup

from gslora_det.evaluation import ClassScores, found_above, precision, same_precision
from gslora_det.reporting.figures import thresholds_svg
from gslora_det.reporting.templates import environment
from gslora_det.words import percent

_STEPS = [step / 100 for step in range(5, 100, 5)]  # of the slider
_ROLES = dict(retained=('retained', ), forgotten=('forgotten', 'old'))


class Thresholds(NamedTuple):
    """What the page shows at every step of its slider; texts are lists with one a step.

    Attributes:
        steps: The thresholds.
        start: Index of the one that is shown first, and without script.
        roles: Of ``'retained'`` and ``'forgotten'`` objects: found before, of these found
            still, and no more.
        classes: Of each retained class with objects: its name, their number, and the cells of
            :func:`_class_cells`.
        plot: The first two numbers of ``roles`` over the threshold.
    """

    steps: list[str]
    start: int
    roles: dict[str, list[list[str]]]
    classes: list[tuple[str, int, list[list[str]]]]
    plot: Markup


def over_thresholds(scores: Sequence[ClassScores], classes: Sequence[str], roles: Sequence[str],
               score_thr: float = 0.3) -> Thresholds:
    """Counts at every threshold what one matching tells.

    Args:
        scores: By label, see :func:`gslora_det.evaluation.class_scores`.
        classes: Class names by label.
        roles: Role of each class by label.
        score_thr: The threshold that is shown first.
    """
    def counts(step: float, names: tuple[str, ...]) -> tuple[int, int]:
        found = found_above(scores, roles, step)
        return tuple(sum(found[name][key] for name in names) for key in ('before', 'own_name'))

    steps = sorted({*_STEPS, score_thr})
    fine = [step / 100 for step in range(100)]
    shown = [(name, each) for name, each, role in zip(classes, scores, roles)
             if role == 'retained' and len(each.found)]
    return Thresholds(
        [f'{step:g}' for step in steps], steps.index(score_thr),
        {title: _by_step(_role_cells(*counts(step, names)) for step in steps)
         for title, names in _ROLES.items()},
        [(name, len(each.found), _by_step(_class_cells(each, step) for step in steps))
         for name, each in shown],
        thresholds_svg(fine, {title: [*zip(*(counts(step, names) for step in fine))]
                              for title, names in _ROLES.items()}))


def render_thresholds(found: Thresholds) -> str:
    """The slider with its numbers, plot and table as a piece of HTML, for a notebook."""
    return environment().get_template('thresholds_alone.html').render(found=found)


def _by_step(rows: Iterable[list[str]]) -> list[list[str]]:
    return [[*texts] for texts in zip(*rows)]


def _role_cells(before: int, still: int) -> list[str]:
    return [f'{number:,}' for number in (before, still, before - still)]


def _class_cells(scores: ClassScores, score_thr: float) -> list[str]:
    """Precision and objects found, of the original and now; a threshold, and found above it."""
    cells = []
    for moment in (0, 1):
        right, wrong = scores.above(moment, score_thr)
        cells += [percent(precision(right, wrong)), f'{right:,}']
    proposed = same_precision(scores, score_thr)
    if proposed is None:
        return [*cells, '—' if cells[1] == '0' else 'none reaches it', '—']
    return [*cells, f'{proposed:.2f}', f'{scores.above(1, proposed)[0]:,}']
