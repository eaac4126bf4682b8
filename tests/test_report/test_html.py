"""What the page says, and that it is one file."""

import re

import pytest
from hand_record import FAILURE, HARM, SUCCESS, record

from gslora_det.report import Run, render_report


@pytest.mark.parametrize('last, headline', [
    (SUCCESS, 'It worked, at little cost.'),
    (FAILURE, 'It did not work, and erased classes came back.'),
    (HARM, 'It erased, but did harm.'),
])
def test_first_screen(last, headline):
    page = render_report([Run('by_hand', record(last))])
    text = ' '.join(re.sub('<[^>]*>', '', page[:page.index('<nav')]).split())
    assert 'It was asked to stop detecting 3 of them, in 2 requests' in text
    assert 'knows 5 classes' in text and 'the other 2 as before' in text
    assert f'&lt;script&gt;, z {headline} Did it work?' in text


def test_matrix():
    page = render_report([Run('by_hand', record(SUCCESS))])
    matrix = page[page.index('class="matrix"'):]
    cells = re.findall(r'<td.*?>(.*?)</td>', matrix[:matrix.index('</table>')])
    assert [re.sub('<.*?>', '', cell) for cell in cells] == [
        '80.0', '1.2', '0.8', '60.0', '·', '0.4']


def test_names_are_escaped_and_nothing_is_loaded():
    page = render_report([Run('<b>$a$ &', record(SUCCESS))])
    assert '<script>' not in page.replace('<script>\n\'use strict\'', '')
    assert '<b>$a' not in page and '&lt;b&gt;$a$ &amp;' in page
    assert 'http' not in page and 'url(' not in re.sub(r'url\(#\w+\)', '', page)
    assert not re.findall(r'(?:src|href)="(?!data:|#)', page)


def test_runs_are_compared_and_other_requests_said():
    runs = [Run('first', record(SUCCESS)), Run('<second>', record(HARM))]
    page = render_report(runs)
    table = page[page.index('<tbody>'):page.index('</tbody>')]
    rows = [re.findall(r'>([^<>\n]+)<', row) for row in table.split('</tr>')[:2]]
    assert rows[0][:6] == ['first', 'It worked, at little cost', '2', '3', '59.0', '98.3']
    assert rows[1][:6] == ['&lt;second&gt;', 'It erased, but did harm', '2', '3', '15.0',
                           '25.0']
    assert 'different classes' not in page
    runs[1].record['request'] = [['x']]
    assert 'different classes' in render_report(runs)


def test_unfinished_sequence_and_method_without_groups():
    half = record(SUCCESS)
    half['tasks'] = half['tasks'][:1]
    half['tasks'][0]['groups'] = {}
    page = render_report([Run('by_hand', half)])
    assert 'Forget 3 of 5 classes' in page and 'Finished requests so far: 1;' in page
    assert 'without LoRA groups' in page
