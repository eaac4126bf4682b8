"""AP of each erased set of classes, in the original and after every later task."""

from __future__ import annotations

from typing import NamedTuple

from gslora_det.evaluation import mean_ap


class ErasedSet(NamedTuple):
    """The classes that one task erased, and their AP (a fraction, or None) over time.

    Attributes:
        task: Number of the task that erased them.
        classes: Their names.
        before: AP in the original model.
        after: AP after each task of the sequence; None before the erasing one.
    """

    task: int
    classes: list[str]
    before: float | None
    after: list[float | None]


def erased_sets(record) -> list[ErasedSet]:
    """One row a task: the matrix that shows whether anything comes back.

    Args:
        record (dict): The content of ``sequence.json``.
    """
    tasks = record['tasks']
    return [
        ErasedSet(task['task'], task['forgotten'],
                  mean_ap(record['original']['per_class'], task['forgotten']),
                  [None] * i + [mean_ap(t['per_class'], task['forgotten']) for t in tasks[i:]])
        for i, task in enumerate(tasks)
    ]
