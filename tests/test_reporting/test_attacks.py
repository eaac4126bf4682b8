"""What the page says of attacks: entries by hand, on the record by hand.

After both requests the forgotten classes are `x` with an AP of 80 in the original, and
`<script>` with 60: 70 on average, of which 2 % are 1.4, and 20 % are 14.
"""

import re

import pytest
from hand_record import SUCCESS, record, unfinished

from gslora_det.reporting import Run, render_report
from gslora_det.reporting.attacks import attack_tables, brought_back, recovery_curves
from gslora_det.reporting.verdict import verdict

HIDDEN = dict(head_mask=69.0, original=70.0)


def attack(name, task=2, title='', setting='', x_title='epochs', measures='AP_forgotten',
           needs_original=False, **found):
    """Entries whose course rises from zero to what is found at last."""
    return [dict(task=task, attack=name, setting=setting, detector=detector.replace('_', ' '),
                 title=title, x_title=x_title, measures=measures, chance=0.0, finds_hidden=True,
                 needs_original=needs_original,
                 curve=[{'x': 1, measures: 0.0}, {'x': 3, measures: value}])
            for detector, value in found.items()]


def of(*attacks, last=SUCCESS):
    answer = brought_back(record(last), [entry for each in attacks for entry in each])
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


def test_what_the_original_hardly_finds_cannot_be_judged():
    faint = record(SUCCESS)
    faint['original'] = dict(faint['original'], per_class=dict.fromkeys(SUCCESS, 0.01))
    answer = brought_back(faint, attack('new head', unlearned=1.0, oracle=0.0))
    assert answer.level == 'unknown' and 'It cannot be judged' in answer.text


@pytest.mark.parametrize('unlearned, headline', [
    (31.0, 'It worked, and the rest hardly suffered'),
    (35.0, 'It worked, and the rest hardly suffered; attacks bring forgotten classes back in '
     'part'),
    (60.0, 'It worked, and the rest hardly suffered; attacks bring forgotten classes back')])
def test_the_headline_says_what_attacks_bring_back(unlearned, headline):
    found = attack('new head', unlearned=unlearned, oracle=30.0, **HIDDEN)
    assert verdict(record(SUCCESS), attacks=found).headline == headline
    assert 'attacks' not in verdict(record(SUCCESS)).headline


@pytest.mark.parametrize('unlearned, word, headline', [
    (30.0, 'Not by these attacks so far', '1 of 3 requested so far'),
    (60.0, 'Yes', '1 of 3 requested so far, but attacks bring forgotten classes back')])
def test_an_unfinished_sequence(unlearned, word, headline):
    found = attack('new head', 1, unlearned=unlearned, oracle=30.0, **HIDDEN)
    judged = verdict(unfinished(), attacks=found)
    assert judged.headline == headline and judged.answers[3].word == word
    assert judged.answers[3].level != 'good'


def test_rows_of_the_tables():
    entries = [*attack('b', 2, setting='lr 1', unlearned=12.34, oracle=0.0, retained_classes=5.0),
               *attack('a', 1, measures='AUC', unlearned=50.0)]
    tables = attack_tables(entries)
    assert [*tables] == [1, 2]
    assert [(row['name'], row['measured'], row['cells']) for rows in tables.values()
            for row in rows] == [
        ('a', 'AUC', ['50.0', '—', '—', '—', '—', '—']),
        ('b, lr 1', 'AP', ['12.3', '0.0', '—', '—', '—', '5.0'])]


def test_curves_are_those_of_the_last_attacked_request_with_the_new_head_first():
    once = attack('as it is', unlearned=1.0)
    once[0]['curve'] = once[0]['curve'][-1:]
    drawn = recovery_curves([
        *attack('new head', 1, unlearned=9.0), *once,
        *attack('probe', measures='AUC', unlearned=9.0),
        *attack('few shots', unlearned=40.0, head_mask=69.0, shuffled_labels=3.0),
        *attack('new head', unlearned=12.0, oracle=8.0), *attack('undone', oracle=3.0)])
    assert [row['attack'] for row, _ in drawn] == ['new head', 'few shots']
    new_head, few_shots = (re.sub('<[^>]*>', '', svg) for _, svg in drawn)
    assert 'unlearned  12.0' in new_head and 'oracle  8.0' in new_head
    assert 'head mask  69.0' in few_shots and 'shuffled' not in few_shots
    assert ('aria-label="AP of the forgotten classes in the attack new head, request 2: '
            'unlearned 0.0, 12.0; oracle 0.0, 8.0"') in drawn[0][1]
    assert recovery_curves([]) == []


def test_the_page_shows_attacks_where_there_are_some():
    found = attack('few <b>$x$ shots', title='<i>', x_title='$\\bad{', unlearned=60.0, oracle=5.0,
                   shuffled_labels=50.0, **HIDDEN)
    page = render_report([Run('a', record(SUCCESS), attacks=found), Run('b', record(SUCCESS))])
    assert '<b>$x' not in page and '<i>' not in page and '$\\bad{' in page
    assert page.count('id="run1-attacks"') == page.count('href="#run1-attacks"') == 1
    assert 'run2-attacks' not in page
    section = page[page.index('id="run1-attacks"'):page.index('id="run1-classes"')]
    assert 'Void: with shuffled labels it finds 50.0.' in section and '(void)' in section
    assert re.findall(r'<td>([^<]*)</td>', section) == [
        'AP', '60.0', '5.0', '69.0', '70.0', '50.0', '—']
    assert re.findall('can be brought back: ([^.]*)', page) == ['not tested', 'no attack was made']
    words = re.findall('<p class="word">(.*?)</p>', page)
    assert [words[3], words[7]] == ['Not tested', 'Not tested']  # of one, all is void
    assert 'http' not in page
