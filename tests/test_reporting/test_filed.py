"""Who, when and with what: as recorded, as said for the report, or not recorded."""

import re

import pytest
from hand_record import START, SUCCESS, record

from gslora_det.reporting import Run, render_report
from gslora_det.reporting.filed import facts, made_with, not_shown, verified
from gslora_det.reporting.verdict import verdict

AGAIN = dict(START, started='2026-11-21T08:00:00Z', finished='2026-11-21T09:30:01Z')
VERIFIED = dict(date='2026-11-22T10:11:12Z', metrics=True, current=True, checks=[
    dict(name='config', passed=True, found='checked'),
    dict(name='task 1: metrics', passed=True, found='AP')])


def test_what_nobody_said_is_not_recorded():
    assert facts(Run('a', record(SUCCESS)))[:3] == [
        (title, 'not recorded') for title in ('Requester', 'Request', 'Carried out by')]


def test_what_is_recorded_and_what_is_said_for_the_report_are_told_apart():
    filed = dict(record(SUCCESS), runs=[START, AGAIN], filing=dict(
        requester='A. Person', request_id=None, operator=None))
    found = dict(facts(Run('a', filed, filing=dict(
        requester='A. Person', request_id='2026-17', operator=None))))
    assert found['Requester'] == 'A. Person' and found['Carried out by'] == 'not recorded'
    assert found['Request'] == '2026-17 (said for this report)'
    assert (found['Begun'], found['Ended']) == ('2026-11-20 23:59 UTC', '2026-11-21 09:30 UTC')
    assert dict(facts(Run('a', dict(filed, runs=[START]))))['Ended'] == 'not yet'


def test_with_what_it_was_done():
    made = dict(made_with(dict(record(SUCCESS), runs=[START, AGAIN])))
    assert made['Starts'] == ['2026-11-20 23:59 UTC to not yet',
                              '2026-11-21 08:00 UTC to 2026-11-21 09:30 UTC']
    assert made['Device'] == ['1 x GPU, 2 processes'] and made['Seed'] == ['3']
    assert made['Versions'] == ['Python 3.11.7, gslora_det 0.2.0, torch 2.9.0']
    assert made['Source code'] == ['SHA-256 of the package’s Python files ' + 'c' * 64]
    assert made['Annotations of the validation images'] == ['SHA-256 ' + 'e' * 64]


@pytest.mark.parametrize('change, text, well', [
    (dict(), '2026-11-22 10:11 UTC: 2 checks passed; metrics measured again', True),
    (dict(metrics=False), '2026-11-22 10:11 UTC: 2 checks passed; files alone, no metrics', True),
    (dict(current=False), 'not verified: the records were changed after the verification of '
     '2026-11-22 10:11 UTC', False),
    (dict(checks=[dict(name='config', passed=False), dict(name='b', passed=True)]),
     '2026-11-22 10:11 UTC: 1 of 2 checks failed (config)', False)])
def test_a_verification_in_words(change, text, well):
    found = dict(VERIFIED, **change)
    assert verified(found) == (text, well)
    run = Run('a', record(SUCCESS), verification=found)
    missing = not_shown(run, verdict(run.record).answers[3])
    assert any('what the record says' in sentence for sentence in missing) == (not well)
    page = ' '.join(render_report([run]).split())
    assert page.count(f'<dd>{text}</dd>') == 2  # on the first screen, and where all is listed


def test_texts_are_escaped_on_the_page_and_in_the_head_of_a_printed_one():
    filing = dict(requester='<b>', request_id='"; } </style> \\', operator=None)
    page = render_report([Run('by_hand', record(SUCCESS), filing=filing)])
    assert '<b>' not in page.split('<dl class="facts">')[1].split('</dl>')[0]
    plain = render_report([Run('by_hand', record(SUCCESS))])
    assert page.count('</style>') == plain.count('</style>')
    content = re.search(r'@top-left { content: "([^"]*)"', page)[1]
    text = re.sub(r'\\([0-9a-f]+) ', lambda code: chr(int(code[1], 16)), content)
    assert text == 'Report on forgetting 3 of 5 classes · by_hand · "; } </style> \\'
