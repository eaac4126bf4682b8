"""Sentences and table about the fates of objects, from counts by hand."""

from gslora_det.reporting.fates import (
    Found,
    fate_rows,
    fates_in_words,
    found_forgotten,
    objects_in_words,
    objects_table,
)

ROLES = dict(forgotten={'erased': 1005, 'survived': 1, 'missed': 9},
             old={'renamed': 2, 'erased': 10},
             retained={'kept': 7, 'lost': 2, 'renamed': 1, 'missed': 9, 'ghost': 9})


def recall(objects):
    return dict(objects=objects, before=1.0, after=0.5)


FOUND = dict(forgotten=dict(before=1006, own_name=1, other_name=0),
             old=dict(before=12, own_name=0, other_name=2),
             retained=dict(before=10, own_name=7, other_name=1))


def test_all_classes_forgotten_so_far_are_one():
    assert found_forgotten(FOUND) == Found(before=1018, own_name=1, other_name=2)
    assert Found(0, 0, 0).share is None


def test_sentences():
    summary = dict(found=FOUND, recall=dict(forgotten=recall(1015), old=recall(12),
                                            retained=recall(19)))
    assert fates_in_words(summary, 0.3) == (
        'Counting detections that the detector is reasonably sure of (score above 0.3): of the '
        '1,018 forgotten objects in the validation images that the original finds, the detector '
        'now finds 1 under their own name, 2 under a wrong name, and 1,015 not at all. Of the 10 '
        'retained objects that the original finds, it now finds 7. The original misses 18 of all '
        '1,046 objects.')


def test_what_cannot_happen_is_no_zero_and_a_role_without_objects_no_row():
    summary = dict(roles=ROLES, recall=dict(forgotten=recall(1015), old=recall(0),
                                            retained=recall(19)))
    half = ['100.0\N{NO-BREAK SPACE}%', '50.0\N{NO-BREAK SPACE}%']
    assert fate_rows(summary) == [
        # erased, survived, kept, lost, renamed, missed, any box, ghosts
        ('forgotten in the last request', ['1,005', '1', '–', '–', '0', '9', *half, '0']),
        ('retained', ['–', '–', '7', '2', '1', '9', *half, '9'])]


def counted(before, own_name, other_name):
    return dict(before=before, own_name=own_name, other_name=other_name)


OBJECTS = {
    '0.3': dict(retained=counted(1220, 1216, 3), forgotten=counted(100, 1, 2),
                old=counted(50, 0, 4)),
    '0.5': dict(retained=counted(1167, 1129, 0), forgotten=counted(90, 0, 0),
                old=counted(0, 0, 0))}


def test_what_is_lost_and_renamed_is_said_and_tabled():
    assert objects_in_words(OBJECTS) == (
        'of retained objects that the original finds, lost: 4 of 1,220 above a score of 0.3, 38 '
        'of 1,167 above a score of 0.5; of erased ones above 0.3, under another name: 6 of 150')
    record = dict(tasks=[dict(task=1, objects=OBJECTS), dict(task=2, objects=None)])
    assert objects_table(record) == (
        ['Task', 'Lost > 0.3', 'Lost > 0.5', 'Renamed > 0.3'],
        [['1', '4 of 1,220 (0.3 %)', '38 of 1,167 (3.3 %)', '6 of 150 (4.0 %)']])
    assert objects_table(dict(tasks=[dict(task=1)])) == ([], [])
