"""The report's plots as inline SVG whose colours follow the page, light or dark."""

import io
import math
import re

import matplotlib
import numpy as np
from markupsafe import Markup
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from gslora_det.evaluation import LEAST_AP, erased_up_to, mean_ap
from gslora_det.reporting.answer import GONE, SMALL_COST
from gslora_det.reporting.curves import PALETTE, draw_ap, draw_norms, label_ends
from gslora_det.reporting.tables import results_rows
from gslora_det.words import share

LIMITS = dict(retained=SMALL_COST, forgotten=GONE)  # shares of a class's original AP
_ROLES = dict(retained='#0072B2', forgotten='#D55E00')
COLUMN = 25  # more classes than this are drawn in two columns

# What matplotlib is told to draw, and what the page's style sheet makes of it.
_COLOURS = {
    '#000000': 'currentColor', '#ffffff': 'var(--paper)', '#dddddd': 'var(--grid)',
    '#bbbbbb': 'var(--grid)', '#0072b2': 'var(--retained)', '#d55e00': 'var(--forgotten)',
    '#b0508a': 'var(--old)', '#cc79a7': 'var(--old)', '#009e73': 'var(--run-3)',
    '#e69f00': 'var(--run-5)', '#56b4e9': 'var(--run-6)',
}
_RUNS = [*zip(PALETTE, 'os^Dvp')]  # the markers repeat what the colour says

_ATTACKED = {  # colour, marker and line of a detector
    'unlearned': ('#D55E00', 's', '-'), 'oracle': ('#000000', 'D', '--'),
    'head mask': ('#B0508A', '^', '-.'), 'original': ('#0072B2', 'o', ':'),
}


def _figure(width: float, height: float) -> Figure:
    """A transparent figure; the size is in inches, text has 10 points."""
    figure = Figure(figsize=(width, height), layout='constrained')
    FigureCanvasSVG(figure)
    return figure


def _svg(figure: Figure, name: str, description: str) -> Markup:
    """Inline SVG with text as text, free of what only a file of its own needs."""
    file = io.StringIO()
    nothing = dict.fromkeys(('Creator', 'Date', 'Format', 'Type'))
    with matplotlib.rc_context({'svg.fonttype': 'none', 'svg.hashsalt': name}):
        figure.savefig(file, format='svg', transparent=True, metadata=nothing)
    text = file.getvalue()
    text = text[text.index('<svg'):]
    text = re.sub(r' xmlns(:xlink)?="[^"]*"| id="\w+_\d+"', '', text)
    for drawn, shown in _COLOURS.items():
        text = re.sub(rf'{drawn}\b', shown, text, flags=re.IGNORECASE)
    label = Markup('<svg role="img" aria-label="{}"').format(description)
    return label + Markup(text[len('<svg'):])


def ap_svg(record) -> Markup:
    """AP of retained, forgotten and old classes against the task."""
    figure = _figure(5.4, 3.4)
    axes = figure.subplots()
    draw_ap(axes, record['tasks'])
    axes.set(title='', xlabel='request')  # the page has a title of its own
    return _svg(figure, 'ap', 'AP of the retained, the just forgotten and the earlier forgotten '
                              'classes after each request; the table above has the numbers')


def norms_svg(record) -> Markup | None:
    """Norm of each LoRA group after each task; None for a method without groups."""
    groups = max(len(task.get('groups', ())) for task in record['tasks'])
    if not groups:
        return None
    figure = _figure(5.4, max(2.6, 0.28 * groups + 1))
    axes = figure.subplots()
    draw_norms(figure, axes, record['tasks'])
    axes.set(title='', xlabel='request')
    return _svg(figure, 'norms', 'Norm of the update of each block in each request')


def classes_svgs(record, names, role: str) -> list[Markup]:
    """AP of each class before and now, the worst first.

    A tick is the limit of the verdict; beyond it, the share of the original AP is written
    beside the name.

    Args:
        record (dict): The content of ``sequence.json``.
        names (list[str]): The classes; those below ``LEAST_AP`` in the original are left out.
        role (str): ``'retained'`` or ``'forgotten'``, for colour, limit and title.

    Returns:
        One plot, or the two halves of many classes; none if no class was measured.
    """
    first, last = record['original']['per_class'], record['tasks'][-1]['per_class']
    names = [name for name in names if (first[name] or 0) >= LEAST_AP and last[name] is not None]
    left = {name: last[name] / first[name] for name in names}
    names.sort(key=left.get, reverse=role == 'forgotten')
    if not names:
        return []
    top = 100 * max(ap[name] for ap in (first, last) for name in names)
    rows = len(names) if len(names) <= COLUMN else math.ceil(len(names) / 2)
    return [_classes_svg(first, last, left, names[i:i + rows], role, top)
            for i in range(0, len(names), rows)]


def _classes_svg(first, last, left, names, role, top) -> Markup:
    before, after = (100 * np.array([ap[name] for name in names]) for ap in (first, last))
    colour, limit = _ROLES[role], LIMITS[role]
    beyond = [left[n] < limit if role == 'retained' else left[n] > limit for n in names]
    labels = [f'{name}: {share(left[name])}' if far else name for name, far in zip(names, beyond)]
    figure, rows = _figure(4.8, 0.2 * len(names) + 1.4), np.arange(len(names))
    axes = figure.subplots()
    axes.hlines(rows, before, after, colors='#BBBBBB', linewidth=2)
    axes.plot(before, rows, 'o', mfc='none', color=colour, label='before', clip_on=False)
    axes.plot(after, rows, 'o', color=colour, label='now', clip_on=False)
    axes.plot(limit * before, rows, '|', color='#000000', label='limit', clip_on=False)
    axes.set(xlim=(0, top), ylim=(len(names) - 0.2, -0.8), xlabel='AP in percent')
    axes.set_yticks(rows, labels, parse_math=False)
    axes.tick_params(length=0, pad=8, labeltop=True)
    axes.grid(axis='x', color='#DDDDDD')
    axes.spines[:].set_visible(False)
    figure.legend(loc='outside upper right', ncols=3, frameon=False)
    said = ', '.join(f'{name} {b:.1f} and {a:.1f}' for name, b, a in zip(names, before, after))
    return _svg(figure, f'{role} {names[0]}', f'AP of {role} classes before and now: {said}')


def thresholds_svg(steps, counts) -> Markup:
    """Objects found by the original, and found still, over the score threshold.

    Args:
        steps (list[float]): The thresholds.
        counts (dict[str, tuple]): ``'retained'`` and ``'forgotten'`` to the two numbers at each.
    """
    figure = _figure(8, 2.8)
    for axes, (role, (before, still)) in zip(figure.subplots(1, 2), counts.items()):
        axes.plot(steps, before, '--', color=_ROLES[role], label='original')
        axes.plot(steps, still, color=_ROLES[role], label='found still', clip_on=False)
        axes.set(title=f'{role} objects', xlabel='score threshold', xlim=(0, 1),
                 ylim=(0, max(1, *before) * 1.05))
        axes.grid(color='#DDDDDD')
        axes.spines[['top', 'right']].set_visible(False)
        axes.legend(loc='lower left', frameon=False)
    said = '; '.join(
        f'{role} ' + ', '.join(f'{still[i]} of {before[i]} above {steps[i]:g}'
                               for i in range(10, len(steps), 20))
        for role, (before, still) in counts.items())
    return _svg(figure, 'thresholds', 'Objects found still, of those that the original finds, '
                                      f'over the score threshold: {said}')


def comparison_svg(records, labels) -> Markup:
    """What is kept and what is left of the forgotten, against the task, for several runs.

    Args:
        records (list[dict]): The contents of their ``sequence.json``.
        labels (list[str]): Their names.
    """
    figure = _figure(5.4, 4.6)
    upper, lower = figure.subplots(2, 1, sharex=True)
    for i, (record, label) in enumerate(zip(records, labels)):
        colour, marker = _RUNS[i % len(_RUNS)]
        numbers = [task['task'] for task in record['tasks']]
        kept = [row['AP_retained_relative'] for row in results_rows(record)]
        left = [mean_ap(task['per_class'], erased_up_to(record, task['task']))
                for task in record['tasks']]
        for axes, values in (upper, kept), (lower, left):
            values = [np.nan if value is None else 100 * value for value in values]
            axes.plot(numbers, values, marker=marker, color=colour, clip_on=False,
                      label=label if axes is upper else None)
    upper.set(ylabel='AP_r / original (%)', ylim=(None, max(100, upper.get_ylim()[1])))
    # At least 5 percent high: a smaller scale would make noise look like a return.
    lower.set(ylabel='AP of all forgotten (%)', xlabel='request',
              ylim=(0, max(5, lower.get_ylim()[1])))
    lower.xaxis.get_major_locator().set_params(integer=True)
    for axes in (upper, lower):
        axes.grid(axis='y', color='#DDDDDD')
        axes.spines[['top', 'right']].set_visible(False)
    for text in figure.legend(loc='outside upper left', ncols=2, frameon=False).get_texts():
        text.set_parse_math(False)
    return _svg(figure, 'comparison', 'AP kept on the retained and left on the forgotten '
                                      'classes after each request, for each run')


def recovery_svg(found, top: float, name: str) -> Markup:
    """AP of the forgotten classes over the course of one attack, for each detector.

    Args:
        found (dict[str, dict]): The attack's entries by detector, see ``by_detector``.
        top (float): The highest AP of all curves that are to compare with this one, in percent.
        name (str): What the attack is called; unique on the page.
    """
    figure, ends, said = _figure(4.2, 2.5), [], []
    axes = figure.subplots()
    for detector, (colour, marker, line) in _ATTACKED.items():
        points = sorted((point['x'], point['AP_forgotten'])
                        for point in found.get(detector, dict(curve=()))['curve'])
        if points:
            axes.plot(*zip(*points), line, marker=marker, color=colour, ms=6, clip_on=False)
            ends.append((points[-1][1], f'{detector}  {points[-1][1]:.1f}', colour))
            said.append(f'{detector} {", ".join(f"{ap:.1f}" for _, ap in points)}')
    axes.set(ylabel='AP (%)', ylim=(0, 1.05 * top))
    axes.set_xlabel(found['unlearned']['x_title'], parse_math=False)
    axes.set_xticks(sorted({point['x'] for point in found['unlearned']['curve']}))
    axes.grid(axis='y', color='#DDDDDD')
    axes.spines[['top', 'right']].set_visible(False)
    label_ends(axes, ends, 0.11 * top)
    return _svg(figure, f'recovery {name}', f'AP of the forgotten classes in the attack {name}: '
                                            f'{"; ".join(said)}')
