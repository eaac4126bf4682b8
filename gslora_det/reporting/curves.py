"""AP against task, and the norms of the LoRA groups, in one picture."""

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure

# Okabe-Ito, told apart with any colour vision.
PALETTE = ('#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9')
# Colour, marker and line of a series.
_SERIES = (
    ('original on the retained', 'original', 'AP_retained', '#0072B2', '', '--'),
    ('retained', 'metrics', 'AP_retained', '#0072B2', 'o', '-'),
    ('original on the forgotten', 'original', 'AP_forgotten', '#D55E00', '', '--'),
    ('forgotten now', 'metrics', 'AP_forgotten', '#D55E00', 's', '-'),
    ('forgotten earlier', 'metrics', 'AP_old', '#B0508A', '^', '-'),
)


def _spread(heights, gap):
    """Raise what is less than ``gap`` above its neighbour, from the lowest upwards."""
    placed = np.array(heights, dtype=float)
    order = np.argsort(placed, kind='stable')
    for low, high in zip(order, order[1:]):
        placed[high] = max(placed[high], placed[low] + gap)
    return placed


def label_ends(axes, ends, gap):
    """Write beside the right edge what each curve is.

    Args:
        axes (matplotlib.axes.Axes): Where the curves are drawn.
        ends (list[tuple]): Height, text and colour of each.
        gap (float): The least distance of two texts.
    """
    heights = _spread([height for height, _, _ in ends], gap)
    for height, (value, text, colour) in zip(heights, ends):
        axes.annotate(text, (1, value), (1.06, height), axes.get_yaxis_transform(),
                      color=colour, va='center', annotation_clip=False,
                      arrowprops=dict(arrowstyle='-', color=colour, relpos=(0, 0.5)))


def draw_ap(axes, tasks):
    """Draw AP of the retained, forgotten and old classes against the task.

    Args:
        axes (matplotlib.axes.Axes): Where to draw.
        tasks (list[dict]): The finished tasks of ``sequence.json``, at least one.
    """
    numbers, ends, top = [task['task'] for task in tasks], [], 1.0
    for label, source, key, colour, marker, line in _SERIES:
        values = [task[source].get(key) for task in tasks]
        values = np.array([np.nan if v is None else 100 * v for v in values])
        measured = np.flatnonzero(np.isfinite(values))
        if not len(measured):
            continue
        if len(tasks) == 1 and not marker:  # a line of one point would not be seen
            axes.axhline(values[0], linestyle=line, color=colour)
        axes.plot(numbers, values, line, marker=marker, color=colour, ms=7,
                  clip_on=False, zorder=3)
        last = measured[-1]
        ends.append((values[last], f'{label}  {values[last]:.1f}', colour))
        top = max(top, np.nanmax(values))
    axes.set(title='AP after each task, all validation images', xlabel='task',
             ylabel='COCO AP@[.50:.95] in percent', ylim=(0, 1.08 * top),
             xlim=(numbers[0] - 0.3, numbers[-1] + 0.3), xticks=numbers)
    axes.grid(axis='y', color='#DDDDDD')
    axes.spines[['top', 'right']].set_visible(False)
    label_ends(axes, ends, 0.06 * top)


def draw_norms(figure, axes, tasks):
    """Draw the norm of each LoRA group after each task; an exact zero is white.

    Args:
        figure (matplotlib.figure.Figure): Gets the colour bar.
        axes (matplotlib.axes.Axes): Where to draw.
        tasks (list[dict]): The finished tasks of ``sequence.json``, some with groups.
    """
    names = list(dict.fromkeys(n for task in tasks for n in task.get('groups', ())))
    norms = np.array([[task.get('groups', {}).get(n, np.nan) for task in tasks] for n in names])
    colours = LinearSegmentedColormap.from_list('norms', ['#BFDCEF', '#08306B'])
    # Only an exact zero lies under the smallest positive number.
    scale = Normalize(np.finfo(float).tiny, np.nanmax(norms) or 1.0)
    mesh = axes.pcolormesh(
        norms, cmap=colours.with_extremes(under='white', bad='#DDDDDD'), norm=scale,
        edgecolors='#BBBBBB', linewidth=0.5,
    )
    axes.invert_yaxis()  # the first block on top
    axes.set(title='Group norms (white: exactly zero)', xlabel='task',
             xticks=np.arange(len(tasks)) + 0.5, yticks=np.arange(len(names)) + 0.5)
    axes.set_xticklabels([task['task'] for task in tasks])
    axes.set_yticklabels(names, fontsize=8)
    axes.tick_params(length=0)
    figure.colorbar(mesh, ax=axes, extend='min', label=r'$\|s\,BA\|_F$')


def draw_curves(record, path):
    """Save the AP curves of a sequence and, beside them, its group norms.

    Args:
        record (dict): The content of ``sequence.json`` with at least one task.
        path (str | Path): The PNG file to write.

    Raises:
        ValueError: If no task is finished.
    """
    tasks = record['tasks']
    if not tasks:
        raise ValueError('no curves to draw: the record holds no finished task')
    groups = max(len(task.get('groups', ())) for task in tasks)
    figure = Figure(figsize=(13 if groups else 8, max(5, 0.18 * groups)), dpi=120,
                    layout='constrained')
    FigureCanvasAgg(figure)
    figure.suptitle(f'{record["name"]}: {record["method"]}', fontweight='bold')
    if groups:
        left, right = figure.subplots(1, 2, width_ratios=(3, 2))
        draw_norms(figure, right, tasks)
    else:
        left = figure.subplots()
    draw_ap(left, tasks)
    figure.savefig(path, format='png')
