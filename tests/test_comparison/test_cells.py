import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest
from mmengine.config import Config
from support import CONFIGS, locked_by_another, run_tool

from gslora_det.comparison import TUNING, Cell, Comparison, run_cells, write_results
from gslora_det.registry import METHODS

# Stands in for `gslora train`: writes a record as a sequence does, or fails; and for
# `gslora attack`.
TRAIN = '''
import hashlib, json, sys
from pathlib import Path
if sys.argv[1] == 'attack':
    _, run, alone, _, *names = sys.argv[1:]
    entry = dict(task=1, setting='', detector='unlearned', seed=0, title='',
                 x_title='epochs', measures='AP', chance=0, finds_hidden=True,
                 needs_original=False, curve=[dict(x=1, AP=5.0)], seconds=1.0)
    Path(run, 'attacks.json').write_text(json.dumps(dict(
        format_version=1, detectors={}, attacks=[dict(entry, attack=name) for name in names])))
    sys.exit(alone != '--no-controls')
_, cell, _, run, _ = sys.argv[1:]
config = {}
exec(Path(cell).read_text(), config)
if config['method']['type'] == 'HeadMask':
    sys.exit('no')
(Path(run) / 'task_1').mkdir(parents=True)
Path(run, 'task_1/merged.pth').touch()
if not config['sequence']['original']:
    Path(run, 'original').mkdir()
    Path(run, 'original/original_predictions.json').touch()
Path(run, 'sequence.json').write_text(json.dumps(dict(
    weights=dict(sha256=hashlib.sha256(Path(config['load_from']).read_bytes()).hexdigest()),
    method_config=config['method'], known=config['sequence']['original'],
    original=dict(AP=0.5), tasks=[dict(task=1, buffers=[1], metrics={})])))
'''


@pytest.fixture
def train(tmp_path, monkeypatch):
    """The script that runs in place of ``gslora train``."""
    script, call = tmp_path / 'train.py', subprocess.call
    script.write_text(TRAIN)
    monkeypatch.setattr('subprocess.call', lambda command, **streams: call(
        [sys.executable, str(script), *command[3:]], **streams))
    return script


@pytest.fixture
def comparison(tmp_path):
    return Comparison(Config.fromfile(CONFIGS / 'glyph80/comparison.py'), tmp_path)


def test_cells_are_methods_times_settings_times_seeds(comparison):
    cells = comparison.cells()
    runs = sum(comparison.cfg.seeds[setting] for method in comparison.cfg.methods.values()
               for setting in method.get('only', comparison.cfg.settings))
    assert len(cells) == len(set(cells)) == runs
    assert not comparison.cells(['GSLoRA, alpha 0'], ['80-10x7'])
    assert {cell.setting for cell in cells if cell.seed} == {
        setting for setting, number in comparison.cfg.seeds.items() if number > 1}
    few = comparison.cells(['EWC'], ['80-5', '80-10x7'], [0])
    assert few == [Cell('80-5', 'EWC', 0), Cell('80-10x7', 'EWC', 0)]
    with pytest.raises(ValueError, match="there is no method 'EWG'; there are Oracle"):
        comparison.cells(['EWG'])


def test_every_method_is_compared(comparison):
    types = {comparison.config(cell).method.type
             for cell in comparison.cells(settings=['80-5'], seeds=[0])}
    assert types == set(METHODS.module_dict)


def test_all_see_the_same_buffers_and_number_of_images(comparison):
    budgets, buffers = defaultdict(set), set()
    for cell in comparison.cells(settings=['80-5'], seeds=[1]):
        cfg = comparison.config(cell)
        sizes = [cfg.sequence[b].batch_size for b in METHODS.get(cfg.method.type).branches]
        budgets['ten times' in cell.method].add(cfg.sequence.iters * sum(sizes))
        buffers.add((cfg.sequence.forget.fraction, cfg.sequence.retain.fraction,
                     cfg.sequence.buffer_seed))
        assert cfg.randomness.seed == 1
    assert budgets == {False: {150 * 16}, True: {1500 * 16}}
    assert buffers == {(0.3, 0.1, 124)}


def test_settings_and_methods_change_the_config(comparison):
    cfg = comparison.config(Cell("80-5 4-shot, authors' reading", 'EWC', 0))
    assert cfg.sequence.forget.to_dict() == dict(shots=4, per='class', batch_size=8)
    assert cfg.method.type == 'EWC' and 'rank' not in cfg.method
    assert comparison.config(Cell('80-5', 'GSLoRAPlusPlus', 0)).method.rank == 8
    cfg = comparison.config(Cell("80-5 missing, authors' reading", 'L2', 0))
    assert len(cfg.sequence.missing) == 5


def test_cells_import_what_the_comparison_imports(comparison):
    own = comparison.config(Cell('80-5', 'EWC', 0)).custom_imports.imports
    comparison.cfg.custom_imports = dict(imports=['my_method'])
    cfg = comparison.config(Cell('80-5', 'EWC', 0))
    assert cfg.custom_imports.imports == [*own, 'my_method']


def test_the_grid_is_tried_on_a_split_that_the_table_does_not_use(comparison):
    reported = {cell.setting: comparison.config(cell).sequence.order
                for cell in comparison.cells(['GSLoRA'])}
    cells = comparison.tuning_cells(['EWC'])
    assert all(cell.setting == TUNING for cell in cells)
    assert len({cell.name for cell in cells}) == len(comparison.cfg.grids.EWC)
    for cell, choice in zip(cells, comparison.cfg.grids.EWC):
        cfg = comparison.config(cell)
        assert cfg.method.weight == choice['method.weight']
        assert cfg.optim_wrapper.optimizer.lr == choice['optim_wrapper.optimizer.lr']
        assert cfg.sequence.order not in reported.values()


def test_chosen_values_are_in_the_grids(comparison):
    def tried(cell):
        cfg = comparison.config(cell)
        return (cfg.method, cfg.optim_wrapper, cfg.get('param_scheduler'),
                cfg.sequence.mixed_images)

    for method in comparison.cfg.grids:
        assert tried(Cell('80-5', method, 0)) in map(tried, comparison.tuning_cells([method]))


def test_a_setting_has_the_last_word_and_a_method_its_budget(comparison):
    comparison.cfg.methods.EWC.update(budget=10, sequence=dict(mixed_images='ignore'))
    cfg = comparison.config(Cell("80-5, authors' reading", 'EWC', 0))
    assert cfg.sequence.mixed_images == 'background' and cfg.sequence.iters == 1500
    assert comparison.config(Cell('80-5', 'EWC', 0)).sequence.mixed_images == 'ignore'
    alphas = [comparison.config(Cell(setting, 'SSD', 0)).method.alpha
              for setting in ('80-5', "80-5, authors' reading")]
    assert alphas == [30.0, 10000.0]


def test_a_cell_without_its_attacks_is_not_finished(comparison, train):
    cells = comparison.cells(['EWC'], ['80-5'], [0, 1])
    comparison.cfg.attacks = {}
    assert run_cells(comparison, cells) == []
    assert not comparison.open(cells)
    comparison.cfg.attacks = {'80-5': ['new head']}
    assert comparison.open(cells) == cells[:1] and len(comparison.results(cells)) == 2


def test_settings_that_are_the_same_for_a_method_share_its_cells(comparison, train):
    theirs = [Cell("80-5, authors' reading", method, 1) for method in ('EWC', 'SSD')]
    assert run_cells(comparison, theirs) == []
    ewc, ssd = (Cell('80-5', method, 1) for method in ('EWC', 'SSD'))  # SSD reads otherwise
    assert comparison.open([ewc, ssd]) == [ssd]
    assert comparison.results([ewc])[ewc] == comparison.results(theirs[:1])[theirs[0]]


def test_finished_cells_are_not_repeated_and_failed_ones_are_named(
        comparison, train, tmp_path, capsys):
    setting = "80-5 4-shot, authors' reading"
    cells = comparison.cells(['EWC', 'HeadMask', 'SSD', 'MAS'], [setting], [0])
    failed = run_cells(comparison, cells)
    assert [cell.method for cell in failed] == ['HeadMask']
    lines = [line for line in capsys.readouterr().out.splitlines() if ', left ' in line]
    assert [line.split(':')[0] for line in lines] == [cell.name for cell in cells]
    assert not lines[0].endswith(' 0:00:00') and lines[-1].endswith(' 0:00:00')
    results = comparison.results(cells)
    assert {cell.method for cell in results} == {'EWC', 'SSD', 'MAS'}
    first = tmp_path / "runs/80-5_4-shot,_authors'_reading__EWC__0/run"
    assert not (first / 'task_1').exists()
    # The later ones were told where the original is measured already, by the one that did.
    known = {c.method: json.loads((tmp_path / f'runs/{c.name}/run/sequence.json').read_text())
             ['known'] for c in results}
    measured, *told = sorted(known.values(), key=bool)
    first, = (c.name for c in results if known[c.method] == measured)
    assert not measured and len(told) == 2
    assert {Path(each).parts[-3] for each in told} == {first}
    train.write_text('raise SystemExit("nothing is left to run")')
    assert run_cells(comparison, list(results)) == []


@pytest.mark.parametrize('change', [
    dict(sequence=dict(order=5)), dict(sequence=dict(missing=['digit 6'])),
    dict(model=dict(num_queries=20))])
def test_a_cell_whose_config_has_changed_is_run_again(comparison, train, tmp_path, change):
    cells = comparison.cells(['EWC', 'MAS'], ['80-5'], [0])
    assert run_cells(comparison, cells) == []
    leftover = tmp_path / 'runs/80-5__EWC__0/run/leftover'
    leftover.touch()
    comparison.cfg.methods.EWC.method.weight = 7.0
    comparison.cfg.settings['80-5'].update(change)
    assert not comparison.results(cells)
    assert run_cells(comparison, cells[:1]) == []
    result, = comparison.results(cells).values()
    assert result['settings']['method']['weight'] == 7.0 and not leftover.exists()
    # Only another original, or the same on other classes, has been measured.
    assert not json.loads(leftover.with_name('sequence.json').read_text())['known']


@pytest.mark.parametrize('name', ['load_from', 'method.weights'])
def test_a_cell_of_another_checkpoint_is_run_again(comparison, train, tmp_path, name):
    weights = tmp_path / 'weights.pth'
    weights.write_bytes(b'first')
    comparison.cfg.settings['80-5'].update({name: str(weights)})
    cells = comparison.cells(['EWC'], ['80-5'], [0])
    assert run_cells(comparison, cells, keep_weights=True) == []
    leftover = tmp_path / 'runs/80-5__EWC__0/run/leftover'
    leftover.touch()
    assert comparison.results(cells)
    weights.write_bytes(b'second')
    assert not comparison.results(cells)
    assert run_cells(comparison, cells) == [] and not leftover.exists()
    assert comparison.results(cells)


def test_cells_of_a_list_have_names():
    assert Cell(TUNING, 'GSLoRA', 0, {'method.beta': [0.1, 0.2]}).words == ['beta [0.1, 0.2]']


@pytest.mark.parametrize('change, message', [
    (dict(settings=dict(a=dict(config='ddetr_forget_80-5.py')), seeds=dict(b=1)),
     "setting 'a' needs a config and, in seeds, a number"),
    (dict(settings=dict(a=dict()), seeds=dict(a=1)), "setting 'a' needs a config"),
    (dict(seeds=dict()), 'seeds is missing'),
    (dict(grids=None), 'tuning and grids are missing'),
    (dict(methods=dict(a=dict(method=dict(type='Nobodys')))), "a: no method 'Nobodys'")])
def test_what_is_missing_is_said_in_one_line(comparison, tmp_path, change, message):
    cfg = comparison.cfg
    for key, value in change.items():
        cfg[key] = value
    with pytest.raises(ValueError, match=message):
        broken = Comparison(cfg, tmp_path)
        broken.config(broken.cells()[0])
        broken.tuning_cells()


def test_a_cell_that_another_process_works_on_is_left_to_it(comparison, train, tmp_path):
    train.write_text('raise SystemExit("must not run")')
    cell = Cell('80-5', 'EWC', 0)
    folder = tmp_path / 'runs' / cell.name
    folder.mkdir(parents=True)
    with locked_by_another(folder / '.lock'):
        assert run_cells(comparison, [cell]) == []
    assert not comparison.results([cell])


def test_real_cells(glyph80, tmp_path, monkeypatch):
    """With the command itself: one method that trains and one that does not."""
    def call(command, stdout, stderr):
        result = run_tool('tools/train.py', *command[4:])
        stdout.write(result.stdout + result.stderr)
        return result.returncode

    monkeypatch.setattr('subprocess.call', call)
    cfg = Config.fromfile(CONFIGS / 'glyph80/comparison.py')
    small = dict(dataset=dict(data_root=str(glyph80)), num_workers=0, persistent_workers=False)
    cfg.settings = dict(small=dict(
        config='ddetr_forget_80-5.py', sequence=dict(
            iters=2, forget=dict(batch_size=2), retain=dict(batch_size=2)),
        train_dataloader=small, val_dataloader=small,
        val_evaluator=dict(ann_file=f'{glyph80}/annotations/val.json')))
    cfg.seeds = dict(small=1)
    comparison = Comparison(cfg, tmp_path)
    cells = comparison.cells(['HeadMask', 'GSLoRA'])
    assert run_cells(comparison, cells) == []
    results = comparison.results(cells)
    head, lora = (results[cell] for cell in cells)
    assert head['tasks'][0]['metrics']['AP_forgotten'] == 0
    assert head['tasks'][0]['original'] == lora['tasks'][0]['original']
    assert [r['tasks'][0]['images_seen'] for r in (head, lora)] == [0, 2 * 4]
    table = write_results(comparison)
    assert '| HeadMask | 0.00 | 100.0 |' in table
    assert f'2 of {len(comparison.cells())} cells' in table

    # A result that was removed is measured again.
    comparison.result_file(cells[0]).unlink()
    assert run_cells(comparison, cells) == []
    again = comparison.results(cells)[cells[0]]
    assert again['tasks'][0]['metrics'] == head['tasks'][0]['metrics']
