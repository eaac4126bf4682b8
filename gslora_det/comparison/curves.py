"""The results of a comparison as curves, those that matter in colour."""

import statistics
from collections.abc import Sequence
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from gslora_det.comparison.tables import leading, task_values
from gslora_det.reporting.curves import PALETTE

_COLOURS = ('#000000', *PALETTE)
_MARKERS = 'os^vDP*'  # the next one when the colours begin anew
_GREY = '#b8b8b8'


def draw_curves(methods: list[str], found: dict[str, list[dict]], path: Path,
                ours: Sequence[str] = (), unranked: Sequence[str] = ()) -> None:
    """AP of retained, forgotten and earlier erased classes after each task, by method.

    Args:
        methods (list[str]): In order; ``found`` need not have them all.
        found (dict[str, list[dict]]): See :func:`gslora_det.comparison.by_method`.
        path (Path): The PNG file.
        ours (list[str]): Methods with a colour of their own, as have the best others by
            :func:`gslora_det.comparison.leading`; the rest is grey.
        unranked (list[str]): Methods that are never among the best.
    """
    coloured = [*ours, *leading(found, [*unranked, *ours])]
    figure = Figure(figsize=(14, 6), dpi=110, layout='constrained')
    FigureCanvasAgg(figure)
    panels = dict(AP_retained='retained (the higher the better)',
                  AP_forgotten='forgotten in the task (the lower the better)',
                  AP_old='erased in earlier tasks (the lower the better)')
    methods = [method for method in methods if found.get(method)]
    named = [method for method in methods if method in coloured]
    others = [method for method in methods if method not in coloured]
    for (key, title), axes in zip(panels.items(), figure.subplots(1, 3, sharex=True, sharey=True)):
        for number, method in enumerate([*others, *named], -len(others)):
            runs = [[task_values(r, t)[key] for t in range(len(r['tasks']))]
                    for r in found[method]]
            means = [float('nan') if None in values else 100 * statistics.mean(values)
                     for values in zip(*runs)]
            marker, colour = divmod(max(number, 0), len(_COLOURS))
            style = dict(color=_GREY, linewidth=1, label='others' * (method == others[0])) \
                if number < 0 else dict(color=_COLOURS[colour], label=method,
                                        marker=_MARKERS[marker % len(_MARKERS)])
            axes.plot(range(1, len(means) + 1), means, **style)
        axes.set(title=title, xlabel='task')
        axes.grid(alpha=0.3)
        axes.spines[['top', 'right']].set_visible(False)
    figure.axes[0].set_ylabel('COCO AP@[.50:.95] in percent')
    figure.legend(*axes.get_legend_handles_labels(), loc='outside lower center', ncols=5)
    figure.savefig(path, format='png')
