"""Which classes each erasure request removes, and which it must keep."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from gslora_det.class_names import labels_of, resolve_classes

ROLES = ('retained', 'forgotten', 'old', 'missing')


def shuffled_order(classes: Sequence, seed: int) -> list:
    """Shuffle ``classes`` with numpy's legacy generator.

    With COCO's 80 classes in ascending order of their ids and seed 123 this is the
    class order of GS-LoRA (arXiv 2403.11530). The global generator is not touched.
    """
    order = list(classes)
    np.random.RandomState(seed).shuffle(order)
    return order


@dataclass(frozen=True)
class ClassSplit:
    """The classes of one erasure request.

    Args:
        retained: Classes that must be detected as before.
        forgotten: Classes that this request erases.
        old: Classes that earlier requests erased.
        missing: The retained classes that have no training data.

    Raises:
        ValueError: If nothing is forgotten, if a class has two roles, or if a
            missing class is not a retained one.
    """

    retained: tuple
    forgotten: tuple
    old: tuple = ()
    missing: tuple = ()

    def __post_init__(self):
        for role in ROLES:
            # A frozen dataclass sets its own fields only this way.
            object.__setattr__(self, role, tuple(getattr(self, role)))
        if not self.forgotten:
            raise ValueError('forgotten: the list is empty; name at least one class')
        roles = {}
        for role in ('retained', 'forgotten', 'old'):
            for name in getattr(self, role):
                if name in roles:
                    raise ValueError(f'class {name!r} is in {roles[name]} and again in {role}; '
                                     'keep one')
                roles[name] = role
        if self.missing:
            resolve_classes(self.missing, self.retained, where='missing')

    @classmethod
    def among(cls, classes: Sequence, forgotten: Sequence, old: Sequence = (),
              missing: Sequence = ()) -> 'ClassSplit':
        """Split ``classes``: those that are neither forgotten nor old are retained.

        Raises:
            ValueError: As the class itself, or if a class is unknown.
        """
        erased = resolve_classes([*old, *forgotten], classes, where='erased classes')
        retained = tuple(name for name in classes if name not in erased)
        return cls(retained, forgotten, old, [name for name in missing if name in retained])

    @property
    def branches(self) -> dict:
        """Branch of a training batch to the classes that it shows."""
        return dict(forget=self.forgotten,
                    retain=tuple(name for name in self.retained if name not in self.missing))

    def labels(self, classes: Sequence) -> dict:
        """Role to the labels of its classes, their places among all ``classes``."""
        return {role: labels_of(getattr(self, role), classes) for role in ROLES}

    def measured(self, suffix: str = '') -> dict:
        """Role, with a suffix, to class names: the roles that have any."""
        return {role + suffix: names for role, names in asdict(self).items() if names}


class TaskSequence(Sequence):
    """Erasure requests that arrive one after another, one ``ClassSplit`` each.

    Args:
        classes: All class names of the data set, in its order.
        tasks: For each task the classes that it erases, as names or category ids.
        missing: Classes without training data; no task can erase them.
        category_ids: The category id of each of ``classes``, if ids are used.
        erased: Names of classes that were erased before the first task.

    Raises:
        ValueError: If there is no task, or if a class is unknown, given twice, in
            two tasks, erased before, or both missing and to be erased, or if a task
            leaves no class to retain and train on.
    """

    def __init__(self, classes: Sequence, tasks: Sequence[Sequence], missing: Sequence = (),
                 category_ids: Sequence[int] | None = None, erased: Sequence = ()):
        # Resolving the classes by themselves refuses an empty or doubled list.
        self.classes = resolve_classes(classes, classes, category_ids)
        if isinstance(tasks, str) or not isinstance(tasks, Sequence) or not tasks:
            raise ValueError(f'tasks: {tasks!r} is not a list of class lists; give at least one '
                             'task, e.g. [["dog", "cat"], ["bus"]]')
        if len(missing):
            missing = resolve_classes(missing, self.classes, category_ids, 'missing')

        self._splits, task_of = [], dict.fromkeys(erased, 'an earlier sequence')
        for number, task in enumerate(tasks, 1):
            where = f'task {number}'
            forgotten = resolve_classes(task, self.classes, category_ids, where)
            for name in forgotten:
                if name in task_of:
                    raise ValueError(f'{where}: class {name!r} is already erased by '
                                     f'{task_of[name]}; remove it here')
                if name in missing:
                    raise ValueError(f'{where}: class {name!r} is missing from the training data '
                                     'and cannot be erased; remove it from tasks or missing')
            old = tuple(task_of)
            task_of.update(dict.fromkeys(forgotten, where))
            split = ClassSplit.among(self.classes, forgotten, old, missing)
            if not set(split.retained) - set(missing):
                left = 'class to retain'
                if missing:
                    left += ' that sequence.missing does not name'
                raise ValueError(f'{where} leaves no {left}: a detector must keep at least one; '
                                 'erase fewer classes')
            self._splits.append(split)

    def __len__(self) -> int:
        return len(self._splits)

    def __getitem__(self, index):
        return self._splits[index]

    @classmethod
    def from_order(cls, order: Sequence, num_tasks: int, classes_per_task: int,
                   missing: Sequence = ()) -> 'TaskSequence':
        """Erase the tail of ``order`` first: task 1 takes its last classes.

        Args:
            order: All classes of the data set, those to be kept longest first.
            num_tasks: Number of tasks.
            classes_per_task: Number of classes that each task erases.
            missing: Classes without training data.

        Raises:
            ValueError: As the class itself, or if a count is below one, or if more
                classes are asked for than there are.
        """
        return cls(order, _tail_first(order, num_tasks, classes_per_task), missing)

    @classmethod
    def from_config(cls, classes: Sequence, category_ids: Sequence[int] | None = None, *,
                    order: int | Sequence | None = None, num_tasks: int | None = None,
                    classes_per_task: int | None = None, tasks: Sequence[Sequence] | None = None,
                    missing: Sequence = (), erased: Sequence = ()) -> 'TaskSequence':
        """Build the sequence that a config describes in one of three ways.

        ``order=123, num_tasks=7, classes_per_task=10`` shuffles ``classes`` with this
        seed, ``order=[...]`` with the same two counts gives the order itself, and
        ``tasks=[[...], [...]]`` lists the classes of each task.

        Args:
            classes: All class names of the data set, in its order.
            category_ids: The category id of each of ``classes``, if ids are used.
            order: A seed, or class names or category ids.
            num_tasks: Number of tasks taken from ``order``.
            classes_per_task: Number of classes of a task taken from ``order``.
            tasks: For each task the classes that it erases, as names or ids.
            missing: Classes without training data, as names or ids.
            erased: Names of classes that were erased before the first task.

        Raises:
            ValueError: As ``from_order``, or if the keys do not make one of the ways.
        """
        counts = dict(num_tasks=num_tasks, classes_per_task=classes_per_task)
        if tasks is not None:
            wrong = [f'{key} does not go with tasks; remove it'
                     for key, value in dict(order=order, **counts).items() if value is not None]
        elif order is not None:
            wrong = [f'order needs {key}; add it'
                     for key, value in counts.items() if value is None]
        else:
            wrong = ['give order (a seed or a list of classes) or tasks']
        if wrong:
            raise ValueError('sequence: ' + '; '.join(wrong))

        if tasks is None:
            if isinstance(order, (int, np.integer)):
                if isinstance(order, bool) or not 0 <= order < 2**32:
                    raise ValueError(f'sequence.order is {order!r}; a seed is a whole number '
                                     'from 0 to 4,294,967,295')
                order = shuffled_order(classes, order)
            order = resolve_classes(order, classes, category_ids, 'order')
            tasks = _tail_first(order, num_tasks, classes_per_task)
        return cls(classes, tasks, missing, category_ids, erased)


def _tail_first(order: Sequence, num_tasks: int, classes_per_task: int) -> list:
    for key, count in dict(num_tasks=num_tasks, classes_per_task=classes_per_task).items():
        if not isinstance(count, (int, np.integer)) or count < 1:
            raise ValueError(f'{key} is {count!r}; it must be an integer of at least 1')
    asked = num_tasks * classes_per_task
    if asked > len(order):
        raise ValueError(f'{num_tasks} tasks of {classes_per_task} classes ask for {asked} '
                         f'classes but there are {len(order)}; lower num_tasks or '
                         'classes_per_task')
    ends = [len(order) - number * classes_per_task for number in range(num_tasks)]
    return [list(order[end - classes_per_task : end]) for end in ends]
