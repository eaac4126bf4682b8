"""Runs the parts of the benchmark and prints a table."""

import platform
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import torch

from gslora_det.benchmark.commands import help_of_the_command, imports, sequence
from gslora_det.benchmark.evaluations import evaluations
from gslora_det.benchmark.growth import draw, growths
from gslora_det.benchmark.steps import large_steps, small_steps
from gslora_det.benchmark.timing import Cost, Pair, compare, once
from gslora_det.compat import mmcv_ops
from gslora_det.engine.provenance import device_name, package_versions
from gslora_det.files import check_writable

Row = tuple[str, Cost | None, Cost]
PARTS = ('step', 'splits', 'inference', 'import', 'sequence', 'r50')
_HEAD = ('', 'reference: s', 'ours: s', 'ratio', 'of CPU seconds', 'reference: GiB', 'ours: GiB')


def benchmark(parts: Sequence[str] = PARTS, size: tuple[int, int] = (800, 1333),
              repeats: int = 5, tasks: int = 7, plot: str | None = None) -> None:
    """Prints ratios of things that run in turn in one process, as a table in Markdown.

    Args:
        parts (sequence[str]): Some of :data:`PARTS`.
        size (tuple[int, int]): Height and width of the images of ``r50``.
        repeats (int): Runs of each, of which the median counts; ``r50`` runs once, and each way
            in a process of its own.
        tasks (int): Requests of ``sequence``.
        plot (str, optional): Also measure how costs grow, and draw it to this file.
    """
    if plot:
        check_writable(plot)
    *splits, inference = evaluations()
    pairs: dict[str, tuple[list[Pair], int]] = dict(
        step=(small_steps(), repeats), splits=(splits, max(1, repeats // 2)),
        inference=([inference], 3 * repeats))
    alone: dict[str, Callable[[], Iterable[Row]]] = {
        'import': lambda: [('import, against mmdet', *imports(repeats)),
                           ('gslora --help', None, help_of_the_command(repeats))],
        'sequence': lambda: [(f'{tasks} requests on Glyph80, LinearErasure', None,
                              sequence(tasks))],
        'r50': lambda: ((pair.what, once(pair.reference), once(pair.ours))
                        for pair in large_steps(size))}
    print(machine() + '\n', flush=True)
    _print_row(_HEAD)
    _print_row(['---', *['---:'] * (len(_HEAD) - 1)])
    for part in parts:
        _tell(part)
        if part in alone:
            rows = alone[part]()
        else:
            rows = ((pair.what, *compare(pair, pairs[part][1])) for pair in pairs[part][0])
        for row in rows:
            _print_row(_cells(*row))
    if plot:
        draw(growths(repeats, _tell), Path(plot))


def machine() -> str:
    """What the numbers depend on, in one line."""
    packages = package_versions()
    operators = 'compiled' if mmcv_ops.compiled() else 'in plain PyTorch'
    return (f'{device_name()} a process; {platform.machine()} '
            f'({torch.backends.cpu.get_cpu_capability()}), Python {platform.python_version()}, '
            f'torch {packages["torch"]}, mmdet {packages["mmdet"]}, mmcv {packages["mmcv"]} '
            f'(operators {operators})')


def _cells(what: str, reference: Cost | None, ours: Cost) -> list[str]:
    seconds, memory = f'{ours.seconds:.3g}', _gib(ours)
    if reference is None:
        return [what, '', seconds, '', '', '', memory]
    return [what, f'{reference.seconds:.3g}', seconds, f'{reference.seconds / ours.seconds:.2f}',
            f'{reference.cpu / ours.cpu:.2f}', _gib(reference), memory]


def _gib(cost: Cost) -> str:
    return '' if cost.memory is None else f'{cost.memory / 2**30:.2f}'


def _print_row(cells: Sequence[str]) -> None:
    print(f'| {" | ".join(cells)} |', flush=True)


def _tell(what: str) -> None:
    if sys.stderr.isatty():
        print(f'{what} …', file=sys.stderr)
