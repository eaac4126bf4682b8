"""Seconds and memory of things that run in turn, each kind in a process of its own."""

import multiprocessing
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import lru_cache
from statistics import median
from typing import Any, NamedTuple

from gslora_det.process import prepare_process

# Makes what is measured: called once, it gives a function that is called for each measurement.
Start = Callable[[], Callable[[], Any]]


# ``ru_maxrss`` of a command begins with the memory of what started it.
_SMALL_PARENT = """
import resource, subprocess, sys
code = subprocess.call(sys.argv[1:], stdout=subprocess.DEVNULL)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(used.ru_utime + used.ru_stime, used.ru_maxrss)
sys.exit(code)
"""


class Cost(NamedTuple):
    """What something takes.

    Attributes:
        seconds (float): Of a clock on the wall.
        cpu (float): Of all cores together.
        memory (float, optional): The most that its process had, in bytes.
    """
    seconds: float
    cpu: float
    memory: float | None = None


class Pair(NamedTuple):
    """Two ways to the same end.

    Attributes:
        what (str): What both do, in a few words.
        reference (callable): The way that one is compared with.
        ours (callable): The other way.
    """
    what: str
    reference: Start
    ours: Start


def compare(pair: Pair, repeats: int) -> tuple[Cost, Cost]:
    """Both costs: the times as medians of runs in turn, each after one that does not count.

    The memory is that of a further process for each, in which it runs once.
    """
    costs = _in_a_child(in_turn, [pair.reference, pair.ours], repeats)
    return tuple(cost._replace(memory=once(start).memory)
                 for cost, start in zip(costs, (pair.reference, pair.ours)))


@lru_cache(None)
def once(start: Start) -> Cost:
    """The cost of the first run of something, in a process of its own."""
    return cost_in_a_child(start, 0)


def in_turn(starts: Sequence[Start], repeats: int) -> list[Cost]:
    """The median costs of things that run in turn in this process, after a first run of each.

    Without repeats, those of the first run.
    """
    functions = [start() for start in starts]
    turns = [[_timed(function) for function in functions] for _ in range(repeats + 1)]
    return medians(turns[min(repeats, 1):])


def medians(turns: Sequence[Sequence[Cost]]) -> list[Cost]:
    """Of turns that each cost the same things, the median times of each thing."""
    return [Cost(*(median(values) for values in zip(*(cost[:2] for cost in costs))))
            for costs in zip(*turns)]


def cost_of(start: Start, repeats: int) -> Cost:
    """The median cost of one thing, and the memory of this process."""
    cost, = in_turn([start], repeats)
    return cost._replace(memory=_peak())


def cost_in_a_child(start: Start, repeats: int) -> Cost:
    """The same in a process of its own."""
    return _in_a_child(cost_of, start, repeats)


def cost_of_command(*command: str) -> Cost:
    """The cost of a command, which has to succeed.

    Raises:
        ValueError: It fails; the line has the last that it said.
    """
    begin = time.perf_counter()
    ran = subprocess.run([sys.executable, '-c', _SMALL_PARENT, *command], capture_output=True,
                         text=True)
    if ran.returncode:
        raise ValueError(f'{" ".join(command[:4])} failed: {ran.stderr.splitlines()[-1:]}')
    cpu, memory = map(float, ran.stdout.split())
    return Cost(time.perf_counter() - begin, cpu, 1024 * memory)


def _timed(function: Callable[[], Any]) -> Cost:
    begin, cpu = time.perf_counter(), time.process_time()
    function()
    return Cost(time.perf_counter() - begin, time.process_time() - cpu)


def _peak() -> float:
    """Since this program began, on Linux: ``ru_maxrss`` begins with what started it."""
    with open('/proc/self/status') as status:
        return 1024.0 * next(int(line.split()[1]) for line in status if line.startswith('VmHWM'))


def _in_a_child(function: Callable, *args: Any) -> Any:
    context = multiprocessing.get_context('spawn')  # a fork would begin with our memory
    with context.Pool(1, prepare_process) as pool:
        return pool.apply(function, args)
