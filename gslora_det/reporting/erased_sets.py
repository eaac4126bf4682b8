"""AP of each erased set of classes, in the original and after every later task."""

from typing import NamedTuple

from gslora_det.evaluation import erased_up_to, mean_ap


class ErasedSet(NamedTuple):
    """The classes that one task erased, and their AP (a fraction, or None) over time.

    Attributes:
        task: Number of the task that erased them; 0 for all that earlier sequences did.
        classes: Their names.
        before: AP in the original model.
        after: AP after each task of the sequence; None before the erasing one.
    """

    task: int
    classes: list[str]
    before: float | None
    after: list[float | None]

    @property
    def left(self) -> float | None:
        """AP after the erasing task; of earlier sequences, after the first task of this one."""
        return self.after[max(self.task, 1) - 1]


def erased_sets(record) -> list[ErasedSet]:
    """One row a task: the matrix that shows whether anything comes back.

    Args:
        record (dict): The content of ``sequence.json``.
    """
    tasks, first = record['tasks'], record['original']['per_class']
    sets = [(task['task'], task['forgotten']) for task in tasks]
    if earlier := erased_up_to(record, 0):
        sets.insert(0, (0, earlier))
    return [
        ErasedSet(number, names, mean_ap(first, names),
                  [None if each['task'] < number else mean_ap(each['per_class'], names)
                   for each in tasks])
        for number, names in sets
    ]
