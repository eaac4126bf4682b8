"""The results of a comparison as curves, a colour and marker for each method."""

import statistics
from pathlib import Path
from typing import Dict, List

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from gslora_det.comparison.tables import task_values
from gslora_det.reporting.curves import PALETTE

_COLOURS = ('#000000', *PALETTE)
_MARKERS = 'os^vDP*'  # the next one when the colours begin anew


def draw_curves(methods: List[str], found: Dict[str, List[dict]], path: Path) -> None:
    """AP of retained, forgotten and earlier erased classes after each task, by method."""
    figure = Figure(figsize=(14, 6), dpi=110, layout='constrained')
    FigureCanvasAgg(figure)
    panels = dict(AP_retained='retained (the higher the better)',
                  AP_forgotten='forgotten in the task (the lower the better)',
                  AP_old='erased in earlier tasks (the lower the better)')
    for (key, title), axes in zip(panels.items(), figure.subplots(1, 3, sharex=True, sharey=True)):
        for number, method in enumerate(methods):
            runs = [[task_values(r, t)[key] for t in range(len(r['tasks']))]
                    for r in found.get(method, ())]
            if not runs:
                continue
            means = [float('nan') if None in values else 100 * statistics.mean(values)
                     for values in zip(*runs)]
            marker, colour = divmod(number, len(_COLOURS))
            axes.plot(range(1, len(means) + 1), means, color=_COLOURS[colour],
                      marker=_MARKERS[marker % len(_MARKERS)], label=method)
        axes.set(title=title, xlabel='task')
        axes.grid(alpha=0.3)
        axes.spines[['top', 'right']].set_visible(False)
    figure.axes[0].set_ylabel('COCO AP@[.50:.95] in percent')
    figure.legend(*axes.get_legend_handles_labels(), loc='outside lower center', ncols=5)
    figure.savefig(path, format='png')
