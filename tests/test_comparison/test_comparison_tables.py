import csv
import io

import numpy as np
import pytest
from matplotlib.axes import Axes
from mmengine.config import Config
from PIL import Image

from gslora_det.comparison import (
    LEGEND,
    TUNING,
    Cell,
    draw_curves,
    leading,
    overview,
    summary,
    to_csv,
    to_markdown,
    tuned,
    write_results,
    write_tuning,
)


def result(h, forgotten=0.8, tasks=1, trained=25, **metrics):
    task = dict(task=1, metrics=dict(H=h, H_max=0.8, AP_retained=h, AP_forgotten=0.01, AP_old=None,
                             AP_missing=None, **metrics),
                original=dict(AP_retained=0.8, AP_forgotten=forgotten), seconds=60.0,
                images_seen=2400, peak_memory=2**30, trainable_parameters=trained,
                total_parameters=1000)
    return dict(tasks=[task] * tasks)


def rows(table):
    return {line.split(' | ')[0].strip('| '): [c.strip('| ') for c in line.split(' | ')[1:]]
            for line in table.splitlines()}


def test_mean_and_sample_deviation():
    assert summary([0.7, 0.8, 0.9]) == '80.0 ± 10.0'
    assert summary([0.5]) == '50.0' and summary([None]) == summary([]) == '—'


def test_overview_shows_what_was_not_run_and_marks_the_best():
    results = {Cell('s', 'a', 0): result(0.4), Cell('s', 'a', 1): result(0.6),
               Cell('s', 'b', 0): result(0.72)}
    found = rows(overview(['a', 'b', 'c'], ['s', 't'], results))
    assert found['a'] == ['2.50', '62.5 ± 17.7', '—']
    assert found['b'] == ['2.50', '**90.0**', '—']
    assert found['c'] == ['—', '—', '—']


def test_no_erasure_is_more_than_perfect():
    found = rows(overview(['a'], ['s'], {Cell('s', 'a', 0): result(0.9)}))  # H_max is 0.8
    assert found['a'] == ['2.50', '100.0']


def test_who_is_within_the_deviation_of_the_best_is_marked_too():
    results = {Cell('s', m, seed): result(h) for m, hs in dict(
        a=(.62, .66), b=(.63, .63), c=(.60, .62)).items() for seed, h in enumerate(hs)}
    found = rows(overview(['a', 'b', 'c'], ['s'], results))  # a: 0.64 with deviation 0.028
    assert ['**' in found[m][1] for m in 'abc'] == [True, True, False]


def test_one_run_is_not_the_best_by_hundredths():
    results = {Cell('s', m, 0): result(h) for m, h in (('a', .7), ('b', .6995), ('c', .698))}
    found = rows(overview(['a', 'b', 'c'], ['s'], results))
    assert ['**' in found[m][1] for m in 'abc'] == [True, True, False]


def test_a_control_is_not_marked_as_best():
    results = {Cell('s', m, 0): result(h) for m, h in (('a', .4), ('b', .5), ('control', .7))}
    found = rows(overview(['a', 'b', 'control'], ['s'], results, ['control']))
    assert found['control'] == ['2.50', '87.5'] and found['b'] == ['2.50', '**62.5**']
    table = to_markdown(['a', 'b', 'control'], ['s'], results, ['control']).split('### s')[1]
    assert '| **50.0** |' in table and '| 70.0 |' in table


def test_nothing_is_ranked_where_the_original_detects_nothing():
    results = {Cell('s', m, 0): result(h, forgotten=0.04) for m, h in (('a', .4), ('b', .7))}
    assert '**' not in overview(['a', 'b'], ['s'], results)
    assert '**' not in to_markdown(['a', 'b'], ['s'], results).split(LEGEND)[1]


def test_a_sequence_has_a_table_a_task():
    text = to_markdown(['a'], ['s', 'never'], {Cell('s', 'a', 0): result(0.4, tasks=2)})
    assert '### s, task 1' in text and '### s, task 2' in text and '### never' not in text
    assert rows(text.split('task 2')[1])['a'][-2:] == ['60', '1.0']


def test_attacks_and_lost_objects_have_columns():
    def attack(name, setting, measures, *values, detector='unlearned', task=1):
        return dict(task=task, attack=name, setting=setting, detector=detector,
                    measures=measures, curve=[{'x': x, measures: v}
                                              for x, v in enumerate(values)])

    one = result(0.4)
    one['tasks'][0]['groups'] = {'decoder.layers.0': 0.0, 'decoder.layers.1': 0.5}
    one['tasks'][0]['objects'] = {'0.5': dict(retained=dict(before=40, own_name=36))}
    one['attacks'] = [
        attack('new head', 'lr 0.001', 'AP_forgotten', 3.0, 2.0),
        attack('new head', 'lr 0.01', 'AP_forgotten', 1.0, 7.5),
        attack('new head', 'lr 0.01', 'AP_forgotten', 80.0, detector='head mask'),
        attack('new head', 'lr 0.01', 'AP_forgotten', 70.0, task=2),
        attack('probe', '', 'AUC', 99.0, 91.5)]
    text = to_markdown(['a', 'b'], ['s'], {Cell('s', 'a', 0): one, Cell('s', 'b', 0): result(0.5)})
    found = rows(text.split('### s')[1])
    assert found['method'][-6:] == ['blocks', 'lost > 0.5', 'new head', 'probe', 'seconds', 'GiB']
    assert found['a'][-6:-2] == ['1', '10.0', '7.5', '91.5']
    assert found['b'][-6:-2] == ['—', '—', '—', '—']


def test_costs_are_those_of_the_seed_that_was_disturbed_least():
    slow = result(0.5)
    slow['tasks'][0]['seconds'] = 200.0
    text = to_markdown(['a'], ['s'], {Cell('s', 'a', 0): slow, Cell('s', 'a', 1): result(0.4)})
    assert rows(text.split('### s')[1])['a'][-2:] == ['60', '1.0']


def test_ablations_have_a_table_of_their_own():
    results = {Cell('s', m, 0): result(h) for m, h in (('a', .5), ('b', .4), ('b, less', .7))}
    table, more = to_markdown(['a', 'b', 'b, less'], ['s'], results,
                              ablations=['b, less']).split('### s')[1].split('What does the work')
    assert '| a | 2.50 | **50.0** |' in table and 'less' not in table
    assert '| b, less | 2.50 | 70.0 |' in more


def test_csv_has_a_row_a_cell_and_task():
    text = to_csv({Cell('s', 'a', 0): result(0.4, tasks=2), Cell('s', 'b', 1): result(0.5)})
    found = list(csv.DictReader(io.StringIO(text)))
    assert [(r['method'], r['seed'], r['task']) for r in found] == [
        ('a', '0', '1'), ('a', '0', '2'), ('b', '1', '1')]
    assert float(found[2]['H_relative']) == pytest.approx(0.5 / 0.8)


def test_the_highest_h_of_a_grid_is_chosen():
    results = {Cell(TUNING, 'a', 0, dict(lr=v)): result(h) for v, h in ((1, .4), (2, .7))}
    assert tuned(results) == {'a': dict(lr=2)}


def test_the_tables_and_curves_are_written(tmp_path):
    cells = {Cell('s', 'a', 0): result(0.4, tasks=2), Cell('s', 'b', 0): result(0.5, tasks=2)}
    tuning = {Cell(TUNING, 'a', 0, {'x.lr': v}): result(h) for v, h in ((.1, .5), (.2, .6))}

    class Comparison:
        work_dir = tmp_path
        cfg = Config(dict(methods=dict(a={}, b={}, c={}), settings=dict(s={})))

        def cells(self):
            return [*cells, Cell('s', 'c', 0)]

        def tuning_cells(self):
            return list(tuning)

        def results(self, asked):
            return {c: r for c, r in {**cells, **tuning}.items() if c in asked}

    assert '2 of 3 cells are there' in write_results(Comparison())
    assert '| b | 2.50 | **50.0** |' in (tmp_path / 'results.md').read_text('utf-8')
    assert len((tmp_path / 'results.csv').read_text('utf-8').splitlines()) == 1 + 4
    assert Image.open(tmp_path / 'curves.png').format == 'PNG'
    assert 'lr 0.2' in write_tuning(Comparison())
    best, = [line for line in (tmp_path / 'tuning.md').read_text('utf-8').splitlines()
             if 'best' in line]
    assert 'lr 0.2' in best


def test_what_matters_is_in_colours_and_the_rest_is_grey(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(Axes, 'plot', lambda self, *a, color, label, marker=None, **k:
                        drawn.append((label, marker, color)) or [])
    methods = [str(number) for number in range(19)]
    draw_curves(methods, {m: [result(0.4, tasks=2)] for m in methods}, tmp_path / 'x.png',
                ours=methods[10:], unranked=methods[:6])
    named = {each for each in drawn if each[0] in methods}
    assert len(drawn) == 3 * 19 and {each[0] for each in named} == set(methods[6:])
    assert len({each[1:] for each in named}) == 13
    assert len({colour for label, _, colour in drawn if label not in methods}) == 1
    assert sum(label == 'others' for label, *_ in drawn) == 3


def test_curves_are_the_means_of_each_task(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(Axes, 'plot', lambda self, x, y, **k: drawn.append([*zip(x, y)]) or [])
    runs = [dict(tasks=[dict(result(h)['tasks'][0], task=task) for task, h in enumerate(hs, 1)])
            for hs in ((.7, .5), (.5, .1))]
    draw_curves(['a'], dict(a=runs), tmp_path / 'x.png', ours=['a'])
    np.testing.assert_allclose(drawn, [  # retained, forgotten and erased earlier
        [(1, 60), (2, 30)], [(1, 1), (2, 1)], [(1, np.nan), (2, np.nan)]])


def test_the_best_lead(tmp_path):
    found = {m: [result(h)] for m, h in dict(a=.1, b=.6, c=.5, control=.9).items()}
    assert leading(found, ['control'], 2) == ['b', 'c']
    found['nobody knows'] = [result(None)]
    assert leading(found, ['control'], 2) == ['b', 'c']
