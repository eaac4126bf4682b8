"""Seconds and memory of things that run in turn, each kind in a process of its own."""

import multiprocessing
import os
import resource
import subprocess
import tempfile
import time
from functools import lru_cache
from statistics import median
from typing import Any, Callable, List, NamedTuple, Optional, Sequence, Tuple

from gslora_det.process import prepare_process

# Makes what is measured: called once, it gives a function that is called for each measurement.
Start = Callable[[], Callable[[], Any]]


class Cost(NamedTuple):
    """What something takes.

    Attributes:
        seconds (float): Of a clock on the wall.
        cpu (float): Of all cores together.
        memory (float, optional): The most that its process had, in bytes.
    """
    seconds: float
    cpu: float
    memory: Optional[float] = None


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


def compare(pair: Pair, repeats: int) -> Tuple[Cost, Cost]:
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


def in_turn(starts: Sequence[Start], repeats: int) -> List[Cost]:
    """The median costs of things that run in turn in this process, after a first run of each.

    Without repeats, those of the first run.
    """
    functions = [start() for start in starts]
    turns = [[_timed(function) for function in functions] for _ in range(repeats + 1)]
    return [Cost(*(median(values) for values in zip(*(cost[:2] for cost in costs))))
            for costs in zip(*turns[min(repeats, 1):])]


def cost_of(start: Start, repeats: int) -> Cost:
    """The median cost of one thing, and the memory of this process."""
    cost, = in_turn([start], repeats)
    return cost._replace(memory=_peak())


def cost_in_a_child(start: Start, repeats: int) -> Cost:
    """The same in a process of its own."""
    return _in_a_child(cost_of, start, repeats)


def cost_of_command(*command: str) -> Cost:
    """The cost of a command, which has to succeed.

    Its memory begins with that of this process, of which it is a copy at first.

    Raises:
        ValueError: It fails; the line has the last that it said.
    """
    begin = time.perf_counter()
    with tempfile.TemporaryFile('w+') as said:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=said)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        if process.returncode:
            raise ValueError(f'{" ".join(command[:4])} failed: {said.read().splitlines()[-1:]}')
    return Cost(time.perf_counter() - begin, used.ru_utime + used.ru_stime,
                used.ru_maxrss * 1024)


def _timed(function: Callable[[], Any]) -> Cost:
    begin, cpu = time.perf_counter(), time.process_time()
    function()
    return Cost(time.perf_counter() - begin, time.process_time() - cpu)


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0


def _in_a_child(function: Callable, *args: Any) -> Any:
    context = multiprocessing.get_context('spawn')  # a fork would begin with our memory
    with context.Pool(1, prepare_process) as pool:
        return pool.apply(function, args)
