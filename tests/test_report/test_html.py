"""What the page says, and that it is one file."""

import re

import pytest
from hand_record import FAILURE, HARM, SUCCESS, record, unfinished

from gslora_det.evaluation.box_fates import ROLES
from gslora_det.report import Run, render_report
from gslora_det.report.gallery import Gallery, Picture
from gslora_det.report.html import _requests


@pytest.mark.parametrize('last, headline', [
    (SUCCESS, 'It worked, and the rest hardly suffered.'),
    (FAILURE, 'It did not work, and forgotten classes came back.'),
    (HARM, 'It worked, but the rest suffered badly.'),
])
def test_first_screen(last, headline):
    page = render_report([Run('by_hand', record(last))])
    text = ' '.join(re.sub('<[^>]*>', '', page[:page.index('<nav')]).split())
    assert 'asked to stop detecting 3 of them, the forgotten classes, in 2 requests, and' in text
    assert 'Only AP decides here' in text
    assert 'knows 5 classes' in text and 'the other 2, the retained classes, as before' in text
    assert f'&lt;script&gt;, z To retain: r, s. {headline} One run. Did it work?' in text


def test_what_the_verdict_rests_on():
    recall = dict.fromkeys(ROLES, dict(objects=500, before=1.0, after=1.0))
    summary = dict(confusion={}, roles=dict.fromkeys(ROLES, {}), recall=recall)
    picture = Picture('1.png', [], 'data:,', 'data:,', (9, 9))
    gallery = Gallery(summary, [picture], 0.3, num_images=1200)
    start = dict(started='2026-11-20T23:59:59Z', code=dict(version='0.2.0'))
    page = render_report([Run('by_hand', dict(record(SUCCESS), runs=[start]), gallery)])
    assert ('One run; 1,200 validation images with 1,500 objects, on average 300 of a class; '
            '2026-11-20, gslora_det 0.2.0.') in page
    assert 'the worse one decides' in page and 'Only AP decides' not in page
    assert 'reports on 1,200 validation images.' in ' '.join(page.split())


def test_requests_say_how_many_classes_are_retained():
    page = render_report([Run('by_hand', record(SUCCESS))])
    table = page[page.index('>in earlier ones<'):]
    rows = re.findall(r'<th scope="row">(\d)</th><td>(\d)</td>', table[:table.index('</table>')])
    assert rows == [('1', '4'), ('2', '2')]  # of the five classes, 1 and then 3 are forgotten


@pytest.mark.parametrize('request_, words', [
    ([['a']], '1 request'), ([['a', 'b'], ['c', 'd']], '2 requests of 2 classes each'),
    ([['a'], ['b', 'c']], '2 requests')])
def test_requests_in_words(request_, words):
    assert _requests(request_) == words


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
    assert rows[0][:2] == ['first', 'It worked, and the rest hardly suffered']
    assert rows[1][:2] == ['&lt;second&gt;', 'It worked, but the rest suffered badly']
    assert rows[0][2:6] == ['2', '3', '59.0', '98.3']
    assert rows[1][2:6] == ['2', '3', '15.0', '25.0']
    assert 'different classes' not in page
    runs[1].record['request'] = [['x']]
    assert 'different classes' in render_report(runs)


def test_unfinished_sequence_and_method_without_groups():
    half = unfinished()
    half['tasks'][0]['groups'] = {}
    page = render_report([Run('by_hand', half)])
    assert 'Report on forgetting 3 of 5 classes' in page and 'Finished requests so far: 1;' in page
    assert 'without LoRA groups' in page
    title = 'Report on forgetting 3 of 5 classes: 1 of 3 requested so far'
    assert f'<title>{title}</title>' in page and f'id="run1-title">{title}</h1>' in page
    assert '<p class="verdict">1 of 3 requested so far.</p>' in page
    assert 'One unfinished run.' in page and 'Unlearned weights so far' in page
    assert '<li>x</li><li>&lt;script&gt;, z (still to come)</li>' in page.replace('\n', '')
    says_success(page, False)


def says_success(page, expected):
    words = re.findall('<p class="word">(.*?)</p>', page)
    assert len(words) == 4
    assert ('It worked' in page, 'Yes' in words, 'answer good' in page) == (expected, ) * 3


def test_a_finished_sequence_is_called_what_it_is():
    page = render_report([Run('by_hand', record(SUCCESS))])
    says_success(page, True)
    assert not [words for words in ('requested so far', 'nfinished', 'to come') if words in page]


def test_an_unfinished_run_stands_apart_in_a_comparison():
    page = render_report([Run('whole', record(SUCCESS)), Run('half', unfinished())])
    assert '<title>Comparison of 2 runs, 1 unfinished</title>' in page
    assert '<h1>2 runs compared, 1 unfinished</h1>' in page and 'no\nresult yet' in page
    table = page[page.index('<tbody>'):page.index('</tbody>')]
    assert re.findall('<td class="words">(.*?)</td>', table) == [
        'It worked, and the rest hardly suffered', '1 of 3 requested so far']
    whole = render_report([Run('a', record(SUCCESS)), Run('b', record(HARM))])
    assert 'nfinished' not in whole and 'no\nresult yet' not in whole


def files_of(page):
    """What the page says of each file: title, hash, checked or not."""
    made = ' '.join(page[page.index('-made">'):].split())
    return re.findall(r'<dt>([^<]*)</dt> <dd><code>([^<]*)</code>, SHA-256 <code>(\w+)</code>: '
                      '([^<]*)</dd>', made)


def test_the_page_says_which_files_were_checked():
    made = record(SUCCESS)
    made['weights'] = dict(file='start.pth', sha256='1' * 64)
    assert files_of(render_report([Run('by_hand', made, checked={'0' * 64})])) == [
        ('Original weights', 'start.pth', '1' * 64, 'not checked'),
        ('Unlearned weights', 'task_2/merged.pth', '0' * 64, 'checked')]
    made['original_weights'] = dict(file='first.pth', sha256='2' * 64)
    page = render_report([Run('by_hand', made, checked={'1' * 64, '2' * 64})])
    assert [file[1:] for file in files_of(page)] == [
        ('first.pth', '2' * 64, 'checked'), ('start.pth', '1' * 64, 'checked'),
        ('task_2/merged.pth', '0' * 64, 'not checked')]
    assert files_of(page)[0][0] == 'Original weights'
