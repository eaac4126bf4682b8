"""What the page says of attacks: tables and curves, from entries by hand."""

import re

import pytest
from hand_attacks import HIDDEN, attack
from hand_record import SUCCESS, record

from gslora_det.reporting import Run, render_report
from gslora_det.reporting.attacks import attack_tables, recovery_curves


def test_rows_of_the_tables():
    entries = [*attack('b', 2, setting='lr 1', unlearned=12.34, oracle=0.0, retained_classes=5.0),
               *attack('a', 1, measures='AUC', unlearned=50.0)]
    tables = attack_tables(entries)
    assert [*tables] == [1, 2]
    assert [(row['name'], row['measured'], row['cells']) for rows in tables.values()
            for row in rows] == [
        ('a', 'AUC', ['50.0', '—', '—', '—', '—', '—']),
        ('b, lr 1', 'AP', ['12.3', '0.0', '—', '—', '—', '5.0'])]


@pytest.mark.parametrize('oracle, original, chance, blind', [
    (99.8, 99.8, 50.0, True), (99.1, 100.0, 50.0, True), (98.9, 100.0, 50.0, False),
    (99.8, 99.7, 50.0, True), (30.0, 70.0, 0.0, False), (0.0, 0.0, 0.0, True)])
def test_an_attack_that_reads_the_oracle_like_the_original_cannot_tell(
        oracle, original, chance, blind):
    # 2 % of what the original has beyond chance: 1 of 50.
    entries = [dict(entry, chance=chance) for entry in attack(
        'probe', unlearned=99.8, oracle=oracle, original=original)]
    page = render_report([Run('by_hand', record(SUCCESS), attacks=entries)])
    assert ('Cannot tell: it finds as much in the oracle' in page) == blind
    alone = [entry for entry in entries if entry['detector'] != 'oracle']
    assert 'Cannot tell:' not in render_report([Run('by_hand', record(SUCCESS), attacks=alone)])


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
    assert re.findall('can be brought back: ([^.]*)', page) == [
        'no attack after request 2 tells', 'no attack was made']
    words = re.findall('<p class="word">(.*?)</p>', page)
    assert [words[3], words[7]] == ['Not tested', 'Not tested']  # of one, all is void
    assert 'http' not in page
