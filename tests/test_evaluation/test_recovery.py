"""Which attacks count, and which is the worst; all numbers are made by hand."""

import pytest

from gslora_det.evaluation.recovery import (
    attack_rows,
    beyond_oracle,
    by_detector,
    counted_attacks,
    most,
    why_void,
)


def attack(name, task=1, setting='', measures='AP_forgotten', chance=0.0, finds_hidden=True,
           needs_original=False, **found):
    """The entries of one attack: what it finds in each detector, as a course of two points."""
    return [dict(task=task, attack=name, setting=setting, detector=detector.replace('_', ' '),
                 title='', measures=measures, chance=chance, finds_hidden=finds_hidden,
                 needs_original=needs_original,
                 curve=[{'x': 1, measures: value}, {'x': 2, measures: value / 2}])
            for detector, value in found.items()]


def void(**found):
    return why_void(by_detector(attack('a', **found), 'a', '', 1))


def test_the_most_is_taken_over_the_course():
    entry, = attack('a', unlearned=30.0)
    assert most(entry) == 30.0
    assert most(dict(entry, curve=[])) is most(None) is None


@pytest.mark.parametrize('found, said', [
    (dict(original=80.0, head_mask=40.0, shuffled_labels=39.9), None),  # half of it is enough
    (dict(original=80.0, head_mask=39.9), 'it finds 39.9 in the head mask and 80.0 in the origi'),
    (dict(original=80.0, shuffled_labels=40.0), 'with shuffled labels it finds 40.0'),
    (dict(original=80.0, head_mask=0.0, finds_hidden=False), None),
    # Half way from chance: 70 is, 69 is not.
    (dict(original=90.0, head_mask=70.0, chance=50.0), None),
    (dict(original=90.0, head_mask=69.0, chance=50.0), 'it finds 69.0 in the head mask'),
    (dict(original=80.0), None),  # no control was made but this
    (dict(head_mask=0.0, shuffled_labels=80.0), None)])  # nothing to compare with
def test_an_attack_is_void_where_a_control_misbehaves(found, said):
    reason = void(unlearned=10.0, **found)
    assert reason is None if said is None else said in reason


def test_an_attack_that_is_not_made_on_the_original_is_compared_with_it_as_it_is():
    known = attack('as it is', original=80.0, unlearned=0.0, finds_hidden=False)
    for hidden, is_void in ((40.0, False), (39.9, True)):
        _, row = attack_rows([*known, *attack('a', unlearned=10.0, head_mask=hidden)])
        assert bool(row['void']) == is_void
    _, row = attack_rows([*known, *attack('auc', unlearned=1.0, head_mask=1.0, measures='AUC')])
    assert row['void'] is None


def test_rows_keep_tasks_and_settings_apart():
    entries = [*attack('a', 1, 'slow', unlearned=1.0, original=9.0),
               *attack('a', 1, 'fast', unlearned=2.0), *attack('a', 2, 'slow', unlearned=3.0)]
    assert [(row['task'], row['setting'], row['found']) for row in attack_rows(entries)] == [
        (1, 'slow', dict(unlearned=1.0, original=9.0)), (1, 'fast', dict(unlearned=2.0)),
        (2, 'slow', dict(unlearned=3.0))]


def test_what_is_learned_anew_does_not_count_where_an_oracle_tells():
    (compared, ), (alone, ) = (counted_attacks(attack('a', **found), 1) for found in (
        dict(unlearned=50.0, oracle=48.0), dict(unlearned=50.0)))
    assert beyond_oracle(compared) == 2.0 and beyond_oracle(alone) == 50.0


@pytest.mark.parametrize('other', [
    attack('void', unlearned=50.0, original=80.0, shuffled_labels=60.0),
    attack('told', unlearned=50.0, needs_original=True),
    attack('probe', unlearned=90.0, measures='AUC', chance=50.0),
    attack('blind', unlearned=80.0, oracle=79.0, original=80.0),
    attack('unfinished', original=80.0, head_mask=80.0)])
def test_what_does_not_count(other):
    assert counted_attacks(other, 1) == []
    row, = counted_attacks([*other, *attack('counts', unlearned=1.0),
                            *attack('counts', 2, unlearned=2.0)], 1)
    assert row['attack'] == 'counts' and row['found']['unlearned'] == 1.0
