"""Can it be brought back? Entries by hand, on the record by hand.

After both requests the forgotten classes are `x` with an AP of 80 in the original, and
`<script>` with 60: 70 on average, of which 2 % are 1.4, and 20 % are 14.
"""

import pytest
from hand_attacks import HIDDEN, attack
from hand_record import FAILURE, SUCCESS, record, unfinished

from gslora_det.reporting import Run
from gslora_det.reporting.brought_back import brought_back
from gslora_det.reporting.filed import not_shown
from gslora_det.reporting.verdict import verdict


def answer_of(*attacks):
    return brought_back(record(SUCCESS), [entry for each in attacks for entry in each])


def of(*attacks):
    answer = answer_of(*attacks)
    return answer.level, answer.word, answer.text


def test_not_tested_names_the_command():
    assert of() == ('unknown', 'Not tested', 'No attack was made. To test it, run: '
                    'gslora attack WORK_DIR')


@pytest.mark.parametrize('unlearned, level, word', [
    (31.3, 'good', 'Not by these attacks'), (31.5, 'fair', 'In part'), (43.9, 'fair', 'In part'),
    (44.1, 'bad', 'Yes')])
def test_what_is_found_beyond_the_oracle_decides(unlearned, level, word):
    found = attack('new head', unlearned=unlearned, oracle=30.0, **HIDDEN)
    assert of(found)[:2] == (level, word)


@pytest.mark.parametrize('unlearned, level', [(64.9, 'fair'), (65.1, 'bad')])
def test_half_of_what_the_oracle_lacks_is_too_much(unlearned, level):
    found = attack('learned anew', unlearned=60.0, oracle=50.0, **HIDDEN)  # 10 of 20
    assert of(attack('new head', unlearned=unlearned, oracle=60.0, **HIDDEN), found)[0] == level
    assert '“new head”' in of(attack('new head', unlearned=68.0, oracle=60.0, **HIDDEN), found)[2]


def test_where_the_oracle_reads_like_the_original_an_attack_cannot_tell():
    blind = attack('new head', unlearned=70.0, oracle=69.0, original=70.0, head_mask=70.0)
    assert of(blind)[:2] == ('unknown', 'Not tested')


def test_the_worst_stands_beside_oracle_and_head_mask():
    _, _, text = of(attack('as it is', unlearned=0.6, oracle=0.0),
                    attack('new head', title='the head is trained', setting='lr 0.01',
                           unlearned=40.0, oracle=30.0, **HIDDEN))
    assert text == (
        'The worst of 2 attacks after request 2: “new head, lr 0.01” (the head is trained) finds '
        'AP 40.0 on the forgotten classes (original 70.0); the same attack finds 30.0 in the '
        'oracle, which never saw them, and 69.0 in the head mask, which only hides them.')


@pytest.mark.parametrize('unlearned, level, concluded', [
    (1.3, 'good', True), (1.5, 'unknown', False), (69.0, 'unknown', False)])
def test_without_an_oracle_it_says_what_cannot_be_concluded(unlearned, level, concluded):
    found, word, text = of(attack('new head', unlearned=unlearned, **HIDDEN))
    assert found == level and (word == 'Cannot be said') != concluded
    assert ('it cannot be concluded whether this was left over or learned anew' not in text
            ) == concluded


@pytest.mark.parametrize('settings, said', [
    ([('a', '1')], 'The worst after'), ([('a', '1'), ('a', '2')], 'of 1 attack in 2 settings'),
    ([('a', ''), ('b', '')], 'of 2 attacks after'),
    ([('a', ''), ('b', '1'), ('b', '2')], 'of 2 attacks in 3 settings')])
def test_settings_are_no_attacks_of_their_own(settings, said):
    found = [attack(name, setting=setting, unlearned=31.0, oracle=30.0, **HIDDEN)
             for name, setting in settings]
    assert said in of(*found)[2]


def test_of_two_the_one_that_finds_more_beyond_the_oracle_is_worse():
    text = of(attack('learns', unlearned=50.0, oracle=48.0, **HIDDEN),
              attack('finds', unlearned=10.0, oracle=1.0, **HIDDEN))[2]
    assert '“finds” finds AP 10.0' in text


def test_an_attack_without_an_oracle_hides_no_worse_finding_beside_one():
    level, _, text = of(attack('alone', unlearned=60.0),
                        attack('compared', unlearned=40.0, oracle=10.0, **HIDDEN))
    assert level == 'bad' and 'The worst of 2 attacks after request 2: “alone” finds' in text
    assert 'cannot be concluded' in text
    assert 'The worst of those with an oracle: “compared” finds AP 40.0' in text
    level, _, text = of(attack('alone', unlearned=60.0),
                        attack('compared', unlearned=10.0, oracle=10.0, **HIDDEN))
    assert level == 'unknown' and '“compared”' not in text


def test_attacks_that_would_miss_what_is_hidden_are_no_proof():
    level, word, text = of(attack('as it is', unlearned=0.6, oracle=0.0, head_mask=0.0))
    assert (level, word) == ('unknown', 'Cannot be said')
    assert 'No attack brings back even the head mask' in text


def test_void_attacks_are_named_and_do_not_count():
    void = attack('few shots', unlearned=60.0, oracle=5.0, shuffled_labels=50.0, **HIDDEN)
    level, _, text = of(void, attack('new head', unlearned=31.0, oracle=30.0, **HIDDEN))
    assert level == 'good' and text.endswith(' Void, not counted: “few shots”.')
    level, word, text = of(void)
    assert (level, word) == ('unknown', 'Not tested')
    assert text == ('Attacks were made after request 2, but none of them tells how much AP comes '
                    'back. Void, not counted: “few shots”.')


def test_who_has_the_original_brings_nothing_back():
    told = attack('interpolation', unlearned=60.0, needs_original=True, head_mask=70.0)
    assert of(told)[:2] == ('unknown', 'Not tested')


def test_the_last_request_is_meant():
    early = attack('new head', 1, unlearned=30.0, oracle=30.0, **HIDDEN)
    level, _, text = of(early)
    assert level == 'unknown' and 'after request 1: ' in text and '(original 80.0)' in text
    assert text.endswith('The detector after the last request was not attacked.')
    late = attack('new head', 2, unlearned=60.0, oracle=10.0, **HIDDEN)
    assert of(early, late)[0] == 'bad'


# Of the classes of the first request 80 was found: 16 is the limit of "in part".
FIRST = {level: attack('first', 1, unlearned=30.0 + beyond, oracle=30.0, **HIDDEN)
         for level, beyond in dict(good=0, fair=15, bad=17).items()}
FIRST['unknown'] = attack('first', 1, unlearned=60.0, **HIDDEN)
# After both, 70, of which 14 is the limit.
LAST = {level: attack('last', 2, unlearned=30.0 + beyond, oracle=30.0, **HIDDEN)
        for level, beyond in dict(good=0, fair=13, bad=15).items()}
LAST['unknown'] = attack('last', 2, unlearned=60.0, **HIDDEN)


@pytest.mark.parametrize('first, last, level, decides', [
    ('fair', 'unknown', 'fair', 1), ('bad', 'unknown', 'bad', 1), ('fair', 'good', 'fair', 1),
    ('bad', 'fair', 'bad', 1), ('fair', 'bad', 'bad', 2), ('fair', 'fair', 'fair', 2),
    ('unknown', 'fair', 'fair', 2), ('unknown', 'good', 'good', 2), ('good', 'good', 'good', 2),
    ('good', 'unknown', 'unknown', 2)])
def test_the_worst_request_decides(first, last, level, decides):
    found, _, text = of(FIRST[first], LAST[last])
    assert found == level and text.startswith(f'The worst after request {decides}: ')
    assert 'The worst after request 2: “last” finds' in text  # what is in use now is always said


def test_what_is_brought_back_is_shown_and_what_is_unknown_named_as_not_shown():
    shown = answer_of(FIRST['fair'], LAST['unknown'])
    assert shown.finding == (
        'The worst attack after request 1 brought the classes forgotten by then back to AP 45.0 '
        'of 80.0, and a detector that never saw them to 30.0.')
    assert shown.doubt == (
        'Whether the forgotten classes are gone: an attack after request 2 brought back AP 60.0 '
        'of 70.0, and without a detector that never saw them nobody knows how much of that is '
        'left over.')
    assert not_shown(Run('a', record(SUCCESS)), shown)[0] == shown.doubt
    alone = answer_of(attack('new head', unlearned=1.3, **HIDDEN))
    assert alone.finding.endswith(' back to AP 1.3 of 70.0.') and not alone.doubt
    assert not_shown(Run('a', record(SUCCESS)), alone)[0] == 'What other attacks would bring back.'


@pytest.mark.parametrize('attacks, doubt', [
    ([], 'no attack was made.'), ([FIRST['good']], 'the detector after the last request was not '
                                                  'attacked.'),
    ([attack('probe', measures='AUC', unlearned=50.0)], 'no attack after request 2 tells.'),
    ([attack('as it is', unlearned=0.6, head_mask=0.0)],
     'the attacks would miss what is only hidden.')])
def test_why_it_is_not_known(attacks, doubt):
    answer = answer_of(*attacks)
    assert answer.level == 'unknown'
    assert answer.doubt == f'Whether the forgotten classes can be brought back: {doubt}'


def test_what_the_original_hardly_finds_cannot_be_judged():
    faint = record(SUCCESS)
    faint['original'] = dict(faint['original'], per_class=dict.fromkeys(SUCCESS, 0.01))
    answer = brought_back(faint, attack('new head', unlearned=1.0, oracle=0.0))
    assert answer.level == 'unknown' and 'It cannot be judged' in answer.text


@pytest.mark.parametrize('unlearned, headline', [
    (31.0, 'It no longer detects the forgotten classes, and the rest hardly suffered'),
    (35.0, 'It no longer detects the forgotten classes, and the rest hardly suffered; attacks '
     'bring forgotten classes back in part'),
    (60.0, 'It no longer detects the forgotten classes, and the rest hardly suffered; attacks '
     'bring forgotten classes back')])
def test_the_headline_says_what_attacks_bring_back(unlearned, headline):
    found = attack('new head', unlearned=unlearned, oracle=30.0, **HIDDEN)
    assert verdict(record(SUCCESS), attacks=found).headline == headline
    assert 'attacks' not in verdict(record(SUCCESS)).headline
    # What is there still need not be brought back.
    assert verdict(record(FAILURE), attacks=found).headline == (
        'It still detects the forgotten classes, and forgotten classes came back')


@pytest.mark.parametrize('unlearned, word, headline', [
    (30.0, 'Not by these attacks so far', '1 of 3 requested so far'),
    (60.0, 'Yes', '1 of 3 requested so far, but attacks bring forgotten classes back')])
def test_an_unfinished_sequence(unlearned, word, headline):
    found = attack('new head', 1, unlearned=unlearned, oracle=30.0, **HIDDEN)
    judged = verdict(unfinished(), attacks=found)
    assert judged.headline == headline and judged.answers[3].word == word
    assert judged.answers[3].level != 'good'
