"""What the page says, and that it is one file."""

import re

import pytest
from hand_record import FAILURE, HARM, SUCCESS, record, unfinished

from gslora_det.evaluation.box_fates import ROLES
from gslora_det.reporting import Run, render_report
from gslora_det.reporting.gallery import Gallery, Picture
from gslora_det.reporting.html import _requests


@pytest.mark.parametrize('last, headline', [
    (SUCCESS, 'It no longer detects the forgotten classes, and the rest hardly suffered.'),
    (FAILURE, 'It still detects the forgotten classes, and forgotten classes came back.'),
    (HARM, 'It no longer detects the forgotten classes, but the rest suffered badly.'),
])
def test_first_screen(last, headline):
    page = render_report([Run('by_hand', record(last))])
    text = ' '.join(re.sub('<[^>]*>', '', page[page.index('<body'):page.index('<nav')]).split())
    assert 'asked to stop detecting 3 of them, the forgotten classes, in 2 requests, and' in text
    assert 'Only AP decides here' in text
    assert 'knows 5 classes' in text and 'the other 2, the retained classes, as before' in text
    for key in ('Requester', 'Request', 'Carried out by'):
        assert f'{key}not recorded ' in text
    assert 'Begun2026-11-20 23:59 UTC Endednot yet ' in text
    assert (f'Verifiednot verified What is shown {headline} One run; 2026-11-20, gslora_det '
            '0.2.0. What is not shown Whether the forgotten classes can be brought back: no '
            'attack was made. That the information is gone from the model, or cannot be '
            'relearned. That the original model and the training data were deleted.') in text
    assert ('what the record says: not verified. Four questions Are the forgotten classes still '
            'detected?') in text


def test_what_was_to_be_forgotten_is_never_folded_away():
    page = render_report([Run('by_hand', record(SUCCESS))])
    asked = page[page.index('id="run1-asked"'):page.index('id="run1-tasks"')]
    assert '<li>x</li><li>&lt;script&gt;, z</li>' in asked.replace('\n', '')
    assert 'To retain: r, s.' in asked
    assert '<details' not in page[:page.index('id="run1-tasks"')]


@pytest.mark.parametrize('runs', [1, 2])
def test_headings_are_in_order(runs):
    page = render_report([Run(f'run {i}', record(SUCCESS)) for i in range(runs)])
    levels = [*map(int, re.findall(r'<h(\d)', page))]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(lower <= upper + 1 for upper, lower in zip(levels, levels[1:]))
    assert levels.count(2) > 8 if runs == 1 else levels.count(2) == 2 and levels.count(3) > 16


def test_what_the_verdict_rests_on():
    recall = dict.fromkeys(ROLES, dict(objects=500, before=1.0, after=1.0))
    found = dict.fromkeys(ROLES, dict(before=500, own_name=500, other_name=0))
    summary = dict(confusion={}, roles=dict.fromkeys(ROLES, {}), found=found, recall=recall)
    picture = Picture('1.png', [], 'data:,', 'data:,', (9, 9))
    gallery = Gallery(summary, [picture], 0.3, num_images=1200)
    page = render_report([Run('by_hand', record(SUCCESS), gallery)])
    assert ('One run; 1,200 validation images with 1,500 objects, on average 300 of a class; '
            '2026-11-20, gslora_det 0.2.0.') in page
    assert 'the worse one decides' in page and 'Only AP decides' not in page
    assert 'on other images than 1,200 validation images.' in ' '.join(page.split())


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
    assert page.count('<script>') == page.count('</script>') == 2  # the page's own
    assert '<b>$a' not in page and '&lt;b&gt;$a$ &amp;' in page
    assert 'http' not in page and 'url(' not in re.sub(r'url\(#\w+\)', '', page)
    assert not re.findall(r'(?:src|href)="(?!data:|#)', page)


def test_runs_are_compared_and_other_requests_said():
    runs = [Run('first', record(SUCCESS)), Run('<second>', record(HARM))]
    page = render_report(runs)
    table = page[page.index('<tbody>'):page.index('</tbody>')]
    rows = [re.findall(r'>([^<>\n]+)<', row) for row in table.split('</tr>')[:2]]
    assert rows[0][:2] == [
        'first', 'It no longer detects the forgotten classes, and the rest hardly suffered']
    assert rows[1][:2] == [
        '&lt;second&gt;',
        'It no longer detects the forgotten classes, but the rest suffered badly']
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
    assert 'One unfinished run; 2026-11-20, gslora_det 0.2.0.' in page
    assert 'Unlearned weights so far' in page
    assert '<li>x</li><li>&lt;script&gt;, z (still to come)</li>' in page.replace('\n', '')
    says_success(page, False)


def says_success(page, expected):
    words = re.findall('<p class="word">(.*?)</p>', page)
    assert len(words) == 4
    assert ('no longer detects' in page, 'No' in words, 'answer good' in page) == (expected, ) * 3


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
        'It no longer detects the forgotten classes, and the rest hardly suffered',
        '1 of 3 requested so far']
    whole = render_report([Run('a', record(SUCCESS)), Run('b', record(HARM))])
    assert 'nfinished' not in whole and 'no\nresult yet' not in whole


@pytest.mark.parametrize('groups, words', [
    ((0.5, 1.5), 'A blank field would mean no change; none of the 4 is blank.'),
    ((0.0, 1.5), 'A blank field means no change: 2 of the 4 are blank.')])
def test_blank_fields_are_counted(groups, words):
    made = record(SUCCESS)
    for task in made['tasks']:
        task['groups'] = dict(zip('ab', groups))
    assert words in render_report([Run('by_hand', made)])


@pytest.mark.parametrize('groups', [{}, dict(a=1.0)])
@pytest.mark.parametrize('method, resets', [('GSLoRA', False), ('LinearErasure', True)])
def test_rows_that_were_reset_are_said_to_be_changed(method, resets, groups):
    made = dict(record(SUCCESS), method=method)
    for task in made['tasks']:
        task['groups'] = groups
    page = ' '.join(render_report([Run('by_hand', made)]).split())
    assert ('class layer that gives detections, the rows of the forgotten classes were reset.'
            in page) == resets
    assert ('All other weights are unchanged.' in page) == bool(groups)


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
