"""How seconds and memory grow with what is erased."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from gslora_det.benchmark.commands import sequence
from gslora_det.benchmark.steps import GLYPH80, our_step
from gslora_det.benchmark.timing import Cost, cost_in_a_child
from gslora_det.reporting.curves import PALETTE

_ALL_FFNS = dict(_delete_=True, type='GSLoRA', distill=0.5, hold=0.6)


class Growth(NamedTuple):
    """Costs of one kind.

    Attributes:
        title (str): Of what, and by which way.
        along (str): What grows.
        costs (list): What has grown how far, and what it costs.
    """
    title: str
    along: str
    costs: list[tuple[float, Cost]]


def growths(repeats: int, tell: Callable[[str], None]) -> list[Growth]:
    """Over classes erased, images in the buffers, image size and tasks, on Glyph80.

    Args:
        repeats (int): Runs of each step, of which the median counts.
        tell (callable): Is told what comes next.
    """
    def steps(values: list, start: Callable[[float], Callable]) -> list:
        return [(value, cost_in_a_child(start(value), repeats)) for value in values]

    found = []
    tell('growth: classes')
    found.append(Growth('a step, LinearErasure', 'classes erased', steps(
        [1, 10, 20, 40, 70], lambda classes: partial(
            our_step, GLYPH80, (128, 128), 8, classes=classes,
            **{'method.rank': min(80, max(32, 2 * classes))}))))
    tell('growth: images')
    found.append(Growth('first looks at the images of both buffers', 'images', steps(
        [64, 128, 256, 512], lambda images: partial(first_looks, images))))
    tell('growth: size')
    found.append(Growth('a step, GSLoRA in all FFNs', 'image side in pixels', steps(
        [64, 128, 192, 256, 384], lambda side: partial(
            our_step, GLYPH80, (side, side), 8, method=_ALL_FFNS))))
    tell('growth: tasks')
    found.append(Growth('a sequence of 20 steps a task', 'tasks', [
        (tasks, sequence(tasks, steps=20)) for tasks in (1, 2, 4, 7)]))
    return found


def first_looks(images: int) -> Callable[[], None]:
    """What a task does before its first step, on so many images."""
    return lambda: our_step(GLYPH80, (128, 128), images // 8, gib=2.0)


def draw(found: list[Growth], file: Path) -> None:
    """Draws CPU seconds and peak memory of each kind."""
    figure = Figure(figsize=(4 * len(found), 3.2), layout='constrained')
    FigureCanvasAgg(figure)
    for growth, axes in zip(found, figure.subplots(1, len(found))):
        values, costs = zip(*growth.costs)
        memory = axes.twinx()
        for each, heights, colour, marker, name in (
                (axes, [cost.cpu for cost in costs], PALETTE[0], 'o', 'CPU seconds'),
                (memory, [cost.memory / 2**30 for cost in costs], PALETTE[1], 's', 'peak GiB')):
            each.plot(values, heights, marker=marker, color=colour)
            each.set_ylim(0, 1.15 * max(heights))
            each.set_ylabel(name, color=colour)
        axes.set(title=growth.title, xlabel=growth.along, xlim=(0, None))
        axes.title.set_fontsize(10)
    figure.savefig(file, dpi=80)
