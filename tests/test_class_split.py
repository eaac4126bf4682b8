import dataclasses

import gslora_det  # noqa: F401  stands in for mmcv's ops before MMDet is imported

# isort: split
import numpy as np
import pytest
from mmdet.datasets import CocoDataset

from gslora_det.class_split import ClassSplit, TaskSequence, resolve_classes, shuffled_order

COCO_CLASSES = CocoDataset.METAINFO['classes']
# The ids that COCO skips among 1..90.
COCO_IDS = sorted(set(range(1, 91)) - {12, 26, 29, 30, 45, 66, 68, 69, 71, 83})
# The published class order of GS-LoRA on COCO.
PUBLISHED_ORDER = [
    74, 64, 65, 5, 79, 59, 36, 88, 9, 49, 10, 42, 86, 34, 82, 90, 72, 89, 50, 25,
    2, 27, 75, 51, 67, 22, 16, 85, 18, 31, 21, 80, 7, 73, 57, 17, 81, 20, 15, 24,
    11, 56, 13, 1, 6, 48, 4, 46, 14, 60, 39, 32, 35, 23, 38, 43, 58, 33, 40, 47,
    8, 54, 70, 62, 87, 44, 3, 77, 61, 55, 78, 41, 28, 52, 37, 84, 53, 63, 19, 76,
]
LETTERS = tuple('abcdef')


def test_seed_123_gives_the_published_order():
    np.random.seed(7)
    before = np.random.get_state()[1].copy()
    assert shuffled_order(COCO_IDS, 123) == PUBLISHED_ORDER
    assert (np.random.get_state()[1] == before).all()
    name_of = dict(zip(COCO_IDS, COCO_CLASSES))
    assert shuffled_order(COCO_CLASSES, 123) == [name_of[i] for i in PUBLISHED_ORDER]


@pytest.mark.parametrize('order', [123, PUBLISHED_ORDER])
def test_coco_in_seven_steps(order):
    sequence = TaskSequence.from_config(
        COCO_CLASSES, COCO_IDS, order=order, num_tasks=7, classes_per_task=10
    )
    name_of = dict(zip(COCO_IDS, COCO_CLASSES))
    names = [name_of[i] for i in PUBLISHED_ORDER]
    assert len(sequence) == 7
    assert sequence[0].forgotten == tuple(names[70:80])
    assert sequence[1].forgotten == tuple(names[60:70])
    assert sequence[6].forgotten == tuple(names[10:20])
    for number, split in enumerate(sequence):
        assert len(split.old) == 10 * number
        assert set(split.old) == set(names[80 - 10 * number :])
        assert set(split.retained + split.forgotten + split.old) == set(COCO_CLASSES)
        kept = [name for name in COCO_CLASSES if name in split.retained]
        assert list(split.retained) == kept
    assert set(sequence[-1].retained) == set(names[:10])


def test_published_single_steps():
    def forgotten(count):
        (split,) = TaskSequence.from_config(
            COCO_CLASSES, order=123, num_tasks=1, classes_per_task=count
        )
        return set(split.forgotten)

    assert forgotten(1) == {'keyboard'}
    assert forgotten(5) == {'book', 'apple', 'couch', 'horse', 'keyboard'}


def test_from_order_erases_the_tail_first():
    first, second = TaskSequence.from_order(LETTERS, 2, 2, missing=['a'])
    assert first == ClassSplit(tuple('abcd'), ('e', 'f'), (), ('a',))
    assert second == ClassSplit(('a', 'b'), ('c', 'd'), ('e', 'f'), ('a',))


def test_tasks_by_name_and_by_id():
    by_name = TaskSequence.from_config(LETTERS, tasks=[['c', 'a'], ['f']])
    by_id = TaskSequence.from_config(
        LETTERS, range(10, 16), tasks=[[12, 10], [15]], missing=[11]
    )
    assert by_name[1] == ClassSplit(('b', 'd', 'e'), ('f',), ('c', 'a'))
    assert by_id[1] == dataclasses.replace(by_name[1], missing=('b',))


@pytest.mark.parametrize(
    'kwargs, message',
    [
        (dict(retained=['a'], forgotten=[]), 'forgotten'),
        (dict(retained=['a', 'a'], forgotten=['b']), "'a'"),
        (dict(retained=['a'], forgotten=['b'], old=['b']), "'b' is in forgotten"),
        (dict(retained=['a'], forgotten=['b'], missing=['b']), "missing.*'b'"),
    ],
)
def test_a_wrong_split_is_refused(kwargs, message):
    with pytest.raises(ValueError, match=message):
        ClassSplit(**kwargs)


@pytest.mark.parametrize(
    'requested, ids, message',
    [
        (['dgo'], None, "'dgo'.* 'dog'"),
        (['Keyboards'], None, "'keyboard'"),
        (['dog', 'dog'], None, "'dog' is given twice"),
        ([18, 'dog'], COCO_IDS, "'dog' is given twice"),
        ([12], COCO_IDS, 'category id 12.*11 .*13 '),
        ([12], None, 'no category ids'),
        ([1], COCO_IDS[1:], '79 category ids for 80 classes'),
        ([['dog']], None, 'neither'),
        ([], None, 'empty'),
        ('dog', None, 'not a list'),
    ],
)
def test_wrong_classes_are_refused_in_one_line(requested, ids, message):
    with pytest.raises(ValueError, match=message) as error:
        resolve_classes(requested, COCO_CLASSES, ids, where='here')
    assert str(error.value).startswith('here: ') and '\n' not in str(error.value)


DIGITS = tuple('23456789')  # with the ids 1 to 8


@pytest.mark.parametrize(
    'requested, found',
    [
        (['7'], ('7',)),
        ([9], ('9',)),  # no id, but a name whose quotes were lost
        ([1], ('2',)),
        (['2', 8], None),
        ([7], None),
        ([np.int64(3)], None),
        ([True], None),
    ],
)
def test_digits_are_a_name_or_an_id_and_never_a_guess(requested, found):
    if found:
        assert resolve_classes(requested, DIGITS, range(1, 9)) == found
        return
    with pytest.raises(ValueError) as error:
        resolve_classes(requested, DIGITS, range(1, 9))
    if requested != [True]:
        number = int(requested[-1])
        assert f"{number} is the name of a class and also the category id of '{number + 1}'" in (
            str(error.value)
        )


def test_letters_that_look_the_same_are_told_apart():
    with pytest.raises(ValueError, match=r"unknown class 'e\\u0301t\\xe9'.*'\\xe9t\\xe9'"):
        resolve_classes(['e\u0301t\xe9'], ['\xe9t\xe9', 'hiver'])


@pytest.mark.parametrize('tasks', [[['a', 'b', 'c']], [['a'], ['b', 'c']]])
def test_a_task_that_leaves_no_class_is_refused(tasks):
    with pytest.raises(ValueError, match=f'task {len(tasks)} leaves no class to retain'):
        TaskSequence(list('abc'), tasks)
    with pytest.raises(ValueError, match='to retain that sequence.missing does not name'):
        TaskSequence(list('abcd'), tasks, missing=['d'])


@pytest.mark.parametrize(
    'config, message',
    [
        (dict(), 'give order'),
        (dict(order=1), 'num_tasks; .*classes_per_task'),
        (dict(order=1, tasks=[['a']]), 'order does not go with tasks'),
        (dict(num_tasks=1, tasks=[['a']]), 'num_tasks does not go with tasks'),
        (dict(order=1, num_tasks=0, classes_per_task=1), 'num_tasks is 0'),
        (dict(order=1, num_tasks=1, classes_per_task=-1), 'classes_per_task is -1'),
        (dict(order=1, num_tasks=2, classes_per_task=4), '8 classes .* 6'),
        (dict(order=['a', 'a'], num_tasks=1, classes_per_task=1), 'order.*twice'),
        (dict(tasks=[]), 'at least one task'),
        (dict(tasks=[['a'], []]), 'task 2.*empty'),
        (dict(tasks=[['a'], ['b', 'a']]), "task 2: class 'a'.*task 1"),
        (dict(tasks=[['a']], missing=['a']), "task 1: class 'a' is missing"),
        (dict(tasks=[['a']], missing=['z']), "missing: unknown class 'z'"),
    ],
)
def test_a_wrong_config_is_refused_in_one_line(config, message):
    with pytest.raises(ValueError, match=message) as error:
        TaskSequence.from_config(LETTERS, **config)
    assert '\n' not in str(error.value)


def test_labels_are_places_among_all_classes():
    split = ClassSplit(['d', 'b'], ['a'], ['c'], missing=['b'])
    assert split.labels('abcd') == dict(retained=[3, 1], forgotten=[0], old=[2], missing=[1])
    assert split.branches == dict(forget=('a', ), retain=('d', ))
