"""Words and numbers of the verdict; the AP means and shares are computed by hand."""

import pytest
from hand_record import FAILURE, FIRST, HARM, RETURN, SUCCESS, record, unfinished

from gslora_det.reporting.verdict import verdict

# None of 100 forgotten objects is found under its name, and all of 20 retained ones are.
FOUND = dict(forgotten=dict(before=40, own_name=0, other_name=0),
             old=dict(before=60, own_name=0, other_name=1),
             retained=dict(before=20, own_name=20, other_name=0))


def texts(answers):
    return [answer.text.replace('\N{NO-BREAK SPACE}', ' ') for answer in answers]


@pytest.mark.parametrize('last, headline, words', [
    (SUCCESS, 'It no longer detects the forgotten classes, and the rest hardly suffered',
     ['No', 'Hardly', 'Yes']),
    (FAILURE, 'It still detects the forgotten classes, and forgotten classes came back',
     ['Yes', 'Hardly', 'No']),
    (HARM, 'It no longer detects the forgotten classes, but the rest suffered badly',
     ['No', 'Badly', 'Yes']),
    (RETURN, 'It still detects the forgotten classes in part, and forgotten classes came back',
     ['In part', 'Hardly', 'No']),
    (dict(SUCCESS, r=0.6, s=0.42),
     'It no longer detects the forgotten classes, but the rest suffered noticeably',
     ['No', 'Noticeably', 'Yes']),
])
def test_words(last, headline, words):
    judged = verdict(record(last))
    assert judged.headline == headline
    assert [answer.word for answer in judged.answers] == [*words, 'Not tested']


def test_numbers_of_a_success():
    erased, cost, stay, _ = texts(verdict(record(SUCCESS)).answers)
    assert erased == ('Left of the 3 forgotten classes: by AP, 0.9 % (AP 70.0 before, 0.6 now). '
                      'None is above 2 % taken alone; the least completely forgotten is “x”: '
                      '1.0 %.')
    assert cost == ('Kept of the 2 retained classes: by AP, 98.3 % (AP 60.0 before, 59.0 now). '
                    'Hit hardest is “r”: AP 70.0 before, 68.0 now.')
    assert stay == ('None came back. The highest is AP 0.8, 1.0 % of the original 80.0: the set '
                    'of request 1, after request 2.')


@pytest.mark.parametrize('counts, said', [
    ({'0.5': (158, 112), '0.3': (164, 150)}, 'Of the objects found before with a score above '
     '0.5, 46 of 158 are lost (29.1 %).'),
    ({'0.3': (1000, 0)}, 'above 0.3, 1,000 of 1,000 are lost (100.0 %).'),
    ({'0.5': (0, 0)}, '68.0 now.'), ({}, '68.0 now.')])
def test_objects_lost_at_the_highest_score_are_counted(counts, said):
    counted = record(SUCCESS)
    counted['tasks'][1]['objects'] = {
        key: dict(retained=dict(before=before, own_name=own, other_name=0))
        for key, (before, own) in counts.items()}
    assert texts(verdict(counted).answers)[1].endswith(said)


def test_classes_above_the_limit_are_named_although_their_mean_is_below():
    # (0.004 + 0.018) / 2 = 0.011 of 0.7 is 1.6 %, but 0.018 of 0.6 is 3 %.
    answer = verdict(record({**SUCCESS, 'x': 0.004, '<script>': 0.018})).answers[0]
    assert (answer.level, answer.word) == (
        'good', 'No, but 1 of the 3 is above 2\N{NO-BREAK SPACE}%')
    assert texts([answer])[0].endswith(
        'Taken alone, 1 of the 3 is above 2 %: “<script>” 3.0 %.')


def test_one_class_that_is_found_still_is_not_averaged_away():
    many = record(SUCCESS)
    names = [f'c{i}' for i in range(20)]
    many['original'] = dict(many['original'], per_class=dict.fromkeys([*names, 'r', 's'], 0.5))
    many['request'] = [names]
    # Of c0 alone 22 % and 18 %, of all twenty 1.1 % and 0.9 %.
    for found, level in ((0.11, 'fair'), (0.09, 'good')):
        last = dict.fromkeys(names, 0.0) | dict(c0=found, r=0.5, s=0.5)
        many['tasks'] = [dict(many['tasks'][-1], task=1, forgotten=names, per_class=last)]
        assert verdict(many).answers[0].level == level


@pytest.mark.parametrize('method, resets', [
    ('LinearErasure', True), ('HeadMask', True), ('GSLoRA', False), ('of somebody else', False)])
def test_what_reset_rows_no_longer_say_proves_nothing(method, resets):
    answer = verdict(dict(record(SUCCESS), method=method)).answers[0]
    assert ('The class rows were reset, so this alone proves nothing' in answer.text) == resets


def test_only_the_worst_of_many_classes_are_named():
    many = record(SUCCESS)
    per_class = {name: 0.5 for name in 'abcd'}
    many['original'] = dict(many['original'], per_class=dict(per_class, r=0.7, s=0.5))
    last = dict(zip('abcdrs', (0.1, 0.4, 0.2, 0.3, 0.7, 0.5)))
    many['tasks'] = [dict(many['tasks'][1], task=1, forgotten=[*'abcd'], per_class=last)]
    assert texts(verdict(many).answers)[0].endswith(
        'Taken alone, 4 of the 4 are above 2 %: “b” 80.0 %, “d” 60.0 %, “c” 40.0 %, …')


@pytest.mark.parametrize('retained, word', [
    ((100, 95, 0), 'Hardly'), ((100, 94, 2), 'Noticeably'), ((100, 84, 0), 'Badly'),
    ((0, 0, 0), 'Hardly'),
])
def test_the_worse_of_ap_and_count_decides_what_is_kept(retained, word):
    # By AP, 98.3 % is kept.
    retained = dict(zip(('before', 'own_name', 'other_name'), retained))
    answer = verdict(record(SUCCESS), dict(FOUND, retained=retained)).answers[1]
    assert answer.word == word
    by_ap = verdict(record(HARM), FOUND).answers[1]
    assert by_ap.word == 'Badly'
    assert 'by count, 100.0 % (20 of 20 objects above a score of 0.3)' in texts([by_ap])[0]


@pytest.mark.parametrize('survived, level', [(0, 'good'), (2, 'good'), (3, 'fair'), (21, 'bad')])
def test_the_worse_of_ap_and_count_decides_what_is_left(survived, level):
    old = dict(before=60, own_name=survived, other_name=1)
    answer = verdict(record(SUCCESS), dict(FOUND, old=old), score_thr=0.5).answers[0]
    assert answer.level == level
    assert (f'by count, {survived}.0 % ({survived} of 100 objects above a score of 0.5).'
            in texts([answer])[0])


@pytest.mark.parametrize('beyond, levels', [
    (-0.001, ['good', 'good', 'good']), (0.001, ['fair', 'fair', 'bad']),
])
def test_limits(beyond, levels):
    # Of the original AP, 2 % is left of the forgotten and 95 % is kept of the retained.
    left, kept = 0.02 + beyond, 0.95 - beyond
    last = {'r': 0.7 * kept, 's': 0.5 * kept, 'x': 0.8 * left, '<script>': 0.6 * left,
            'z': None}
    assert [answer.level for answer in verdict(record(last)).answers[:3]] == levels


def test_what_never_left_cannot_come_back():
    stayed = verdict(record(FAILURE, first=dict(FAILURE, x=0.5)))
    assert stayed.headline == 'It still detects the forgotten classes'
    assert stayed.answers[2].word == 'Nothing to judge'


@pytest.mark.parametrize('then, word', [(0.72, 'No'), (0.039, 'Yes'), (0.041, 'No')])
def test_what_had_left_for_the_most_part_can_come_back(then, word):
    # 3 % of 0.8 is left after its own request; 2 % more is 0.04.
    judged = verdict(record(dict(SUCCESS, x=then), first=dict(FIRST, x=0.024)))
    assert judged.answers[2].word == word
    assert ('came back' in judged.headline) == (word == 'No')


def test_what_earlier_sequences_erased_is_judged_as_well():
    later = record(dict(SUCCESS, e=0.7))
    later['erased_before'] = ['e']
    later['original'] = dict(later['original'], per_class=dict(
        later['original']['per_class'], e=0.8))
    later['tasks'][0]['per_class'] = dict(FIRST, e=0.0)
    judged = verdict(later)
    assert judged.headline == (
        'It still detects the forgotten classes, and forgotten classes came back')
    # (0.008 + 0.004 + 0.7) / 3 of (0.8 + 0.6 + 0.8) / 3
    assert texts(judged.answers)[0].startswith('Left of the 4 forgotten classes: by AP, 32.4 %')
    # `e` lost 0.1, but it was to be erased.
    assert texts(judged.answers)[1] == (
        'Kept of the 2 retained classes: by AP, 98.3 % (AP 60.0 before, 59.0 now). '
        'Hit hardest is “r”: AP 70.0 before, 68.0 now.')
    assert texts(judged.answers)[2].endswith('the set erased before, after request 2.')
    later['tasks'][0]['per_class']['e'] = 0.7  # so it was when this sequence began
    assert 'came back' not in verdict(later).headline


def test_one_request_and_nothing_to_measure():
    one = unfinished()
    one['request'] = one['request'][:1]
    assert verdict(one).answers[2].word == 'Not tested'
    # So it is after an earlier sequence, whose classes no later request could bring back yet.
    after = dict(one, erased_before=['s'])
    after['tasks'] = [dict(one['tasks'][0], per_class=dict(FIRST, s=0.0))]
    assert verdict(after).answers[2].word == 'Not tested'
    one['original'] = dict(one['original'], per_class=dict(SUCCESS, x=None))
    assert verdict(one).headline == 'It cannot be judged'


@pytest.mark.parametrize('ap, word', [(0.0199, 'Not measured'), (0.02, 'Yes')])
def test_what_the_original_hardly_finds_is_not_judged(ap, word):
    faint = record(dict(SUCCESS, x=0.02, **{'<script>': 0.02}))
    faint['original'] = dict(faint['original'], per_class=dict(
        faint['original']['per_class'], x=ap, **{'<script>': ap}))
    judged = verdict(faint)
    assert judged.answers[0].word == word
    assert (judged.headline == 'It cannot be judged') == (word == 'Not measured')
    assert ('It cannot be judged' in judged.answers[0].text) == (word == 'Not measured')


@pytest.mark.parametrize('ap, word', [(0.0199, 'Not measured'), (0.02, 'Hardly')])
def test_what_is_kept_of_next_to_nothing_is_not_judged(ap, word):
    faint = record(SUCCESS)  # whose retained AP of 0.59 would be thousands of percent
    faint['tasks'][1]['original'] = dict(faint['tasks'][1]['original'], AP_retained=ap)
    judged = verdict(faint)
    assert judged.answers[1].word == word
    assert (judged.headline == 'It cannot be judged') == (word == 'Not measured')


def test_a_class_that_the_original_hardly_finds_is_not_named():
    faint = record(dict(SUCCESS, z=0.5))
    faint['original'] = dict(faint['original'], per_class=dict(
        faint['original']['per_class'], z=0.009))
    assert '“z”' not in verdict(faint).answers[0].text


@pytest.mark.parametrize('first, headline, words', [
    (FIRST, '1 of 3 requested so far', ['1 of 3 so far', 'Hardly so far', 'Not tested']),
    (dict(FIRST, x=0.1), '1 of 3 requested so far, but they are still detected in part',
     ['1 of 3 so far', 'Hardly so far', 'Not tested']),
    (dict(FIRST, x=0.5, r=0.2, s=0.2),
     '1 of 3 requested so far, but they are still detected, and the rest suffered badly',
     ['1 of 3 so far', 'Badly so far', 'Not tested'])])
def test_an_unfinished_sequence_is_no_success(first, headline, words):
    judged = verdict(unfinished(first))
    assert judged.headline == headline
    assert [answer.word for answer in judged.answers] == [*words, 'Not tested']
    assert 'good' not in [answer.level for answer in judged.answers]


def test_numbers_of_an_unfinished_sequence():
    answer = verdict(unfinished()).answers[0]
    assert texts([answer])[0].startswith(
        '1 of 3 classes, in 1 of 2 requests. Left of the 1 forgotten class: by AP, 1.5 % '
        '(AP 80.0 before, 1.2 now).')
    assert answer.rule.startswith('To be answered after the last request: no if at most')


@pytest.mark.parametrize('last, headline, word, level', [
    (SUCCESS, '3 of 4 requested so far', 'Yes so far', 'unknown'),
    (RETURN, '3 of 4 requested so far, but they are still detected in part, and forgotten '
     'classes came back', 'No', 'bad')])
def test_what_has_come_back_already_is_said(last, headline, word, level):
    more = record(last)
    more['request'] = [*more['request'], ['s']]
    judged = verdict(more)
    assert judged.headline == headline
    assert (judged.answers[2].word, judged.answers[2].level) == (word, level)


def test_an_unfinished_sequence_that_cannot_be_judged():
    half = unfinished()
    half['original'] = dict(half['original'], per_class=dict(SUCCESS, x=0.001))
    half['tasks'][0]['original'] = dict(half['tasks'][0]['original'], AP_retained=0.0)
    assert verdict(half).headline == (
        '1 of 3 requested so far, but what is left of them cannot be judged, and what is kept '
        'of the rest cannot be judged')
