"""A hand-written record and the strings that must come out of it."""

import csv
import io

import pytest

from gslora_det.reporting import print_table, results_rows, to_csv, to_markdown
from gslora_det.reporting.tables import markdown_table


def split(retained, forgotten, old=None, **more):
    return dict(AP_retained=retained, AP_forgotten=forgotten, AP_old=old, **more)


RECORD = {
    'name': 'ddetr_forget_80-2x2',
    'method': 'GSLoRA',
    'original': {'AP': 0.4312, 'per_class': {}},
    'tasks': [
        {
            'task': 1,
            'forgotten': ['book', 'apple'],
            'metrics': split(
                0.4, 0.0, H=0.36, H_max=0.48, reference=split(0.42, 0.0125)
            ),
            'original': split(0.5, 0.25, reference=split(0.56, None)),
            'seconds': 119.6,
            'groups': {'encoder.0': 1.5, 'encoder.1': 0.0, 'decoder.0': 1e-12},
        },
        {
            'task': 2,
            'forgotten': ['couch'],
            'metrics': split(
                None, 0.1, 0.0004, H=None, H_max=None, reference=split(0.3, 0.2, 0.1)
            ),
            'original': split(None, 0.3, 0.25, reference=split(0.6, 0.4, 0.2)),
            'seconds': 61,
            'groups': {},
        },
    ],
}
FULL = [
    '| 1 | 2 | 40.0 | 80.0 | 0.0 | — | 36.0 | 75.0 | 2/3 | 120 |',
    '| 2 | 3 | — | — | 10.0 | 0.0 | — | — | — | 61 |',
]
REFERENCE = [
    '| 1 | 2 | 42.0 | 75.0 | 1.2 | — | — | — | 2/3 | 120 |',
    '| 2 | 3 | 30.0 | 50.0 | 20.0 | 10.0 | — | — | — | 61 |',
]


def test_erased_counts_what_earlier_sequences_erased():
    later = dict(RECORD, erased_before=['car', 'bus', 'train'])
    assert [row['erased'] for row in results_rows(later)] == [5, 6]


def test_rows_are_fractions_and_none():
    first, second = results_rows(RECORD)
    assert first == {
        'task': 1,
        'forgotten': 2,
        'erased': 2,
        'AP_retained': 0.4,
        'AP_retained_relative': 0.8,
        'AP_forgotten': 0.0,
        'AP_old': None,
        'H': 0.36,
        'H_relative': pytest.approx(0.75),
        'active_groups': '2/3',
        'seconds': 119.6,
    }
    assert second['AP_retained_relative'] is second['active_groups'] is None
    assert (second['forgotten'], second['erased']) == (1, 3)


def test_reference_rows_use_the_reference_original():
    first, second = results_rows(RECORD, 'reference')
    assert first['AP_retained_relative'] == pytest.approx(0.42 / 0.56)
    assert second['AP_retained_relative'] == pytest.approx(0.3 / 0.6)


def test_unknown_protocol_is_refused():
    with pytest.raises(ValueError, match="'full', 'reference'"):
        results_rows(RECORD, 'published')


def test_markdown():
    lines = to_markdown(RECORD).splitlines()
    assert lines[0] == '# ddetr_forget_80-2x2: GSLoRA, original AP 43.1'
    assert 'AP@[.50:.95]' in lines[2]
    rows = [line for line in lines if line.startswith(('| 1', '| 2'))]
    assert rows == FULL + REFERENCE
    assert lines.index('## All validation images') < lines.index(FULL[0])
    columns = {line.count('|') for line in lines if line.startswith('|')}
    assert columns == {11}


def test_csv_keeps_precision_and_leaves_gaps_empty():
    rows = list(csv.DictReader(io.StringIO(to_csv(RECORD))))
    assert [(r['protocol'], r['task']) for r in rows] == [
        ('full', '1'), ('full', '2'), ('reference', '1'), ('reference', '2')
    ]
    assert rows[1]['AP_retained'] == '' and rows[1]['AP_old'] == '0.0004'
    assert rows[2]['AP_forgotten'] == '0.0125'


def test_terminal_table_shows_every_cell_in_80_columns(capsys, monkeypatch):
    monkeypatch.setenv('COLUMNS', '80')
    print_table(RECORD)
    out = capsys.readouterr().out
    assert '…' not in out and max(map(len, out.splitlines())) <= 80
    words = [line.split() for line in out.splitlines()]
    for row in FULL + REFERENCE:
        assert [cell.strip() for cell in row.strip('|').split('|')] in words


def test_record_without_tasks():
    empty = {**RECORD, 'tasks': []}
    assert results_rows(empty) == []
    assert to_csv(empty) == 'protocol\n'
    assert to_markdown(empty).count('| Task |') == 2


@pytest.mark.parametrize('request_, end', [
    ([['book', 'apple'], ['couch']], '43.1'),
    ([['book', 'apple'], ['couch'], ['car']], '43.1, 2 of 3 requests')])
def test_an_unfinished_record_says_how_far_it_is(request_, end, capsys):
    record = {**RECORD, 'request': request_}
    headline = f'ddetr_forget_80-2x2: GSLoRA, original AP {end}'
    assert to_markdown(record).splitlines()[0] == f'# {headline}'
    print_table(record)
    assert capsys.readouterr().out.splitlines()[0] == headline


@pytest.mark.parametrize('h, h_max, expected', [
    (0.5, 0.4, 1.0), (0.4, 0.4, 1.0), (0.3, 0.4, 0.75), (0.02, 0.0099, None)])
def test_no_erasure_is_more_than_perfect_and_none_is_measured_against_nothing(
        h, h_max, expected):
    task = {**RECORD['tasks'][0], 'metrics': split(0.4, 0.0, H=h, H_max=h_max)}
    row, = results_rows({**RECORD, 'tasks': [task]})
    assert row['H'] == h and row['H_relative'] == pytest.approx(expected)


def test_ap_that_rose_is_shown_but_not_against_nothing():
    task = {**RECORD['tasks'][0], 'original': split(0.32, 0.25)}
    row, = results_rows({**RECORD, 'tasks': [task]})
    assert row['AP_retained_relative'] == pytest.approx(1.25)
    task = {**RECORD['tasks'][0], 'original': split(0.009, 0.25)}
    row, = results_rows({**RECORD, 'tasks': [task]})
    assert row['AP_retained_relative'] is None


def test_a_bar_in_a_name_is_no_column():
    assert markdown_table(['name', 'a|b'], [['x|y', '1']]) == (
        '| name | a\\|b |\n| --- | ---: |\n| x\\|y | 1 |\n')


def test_the_terminal_shows_names_as_they_are(capsys):
    print_table({**RECORD, 'name': '[red]:smile: [/b]', 'method': '[b]x'})
    assert capsys.readouterr().out.startswith('[red]:smile: [/b]: [b]x, original AP 43.1\n')
