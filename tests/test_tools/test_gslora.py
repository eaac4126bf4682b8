"""The command ``gslora``, and where it finds what the package brings."""

import importlib
import subprocess
import sys

import pytest
from support import CHECKPOINT, ROOT, run, run_tool

from gslora_det.config_file import load_config
from gslora_det.files import read_json
from gslora_det.weights import read_weights
from gslora_det_cli.__main__ import COMMANDS

SMALL = ('sequence.iters=2', 'sequence.forget.batch_size=2', 'sequence.retain.batch_size=2',
         'sequence.pictures=0')
SHIPPED = 'gslora_det::glyph80/ddetr_forget_80-1.py'


def light(*words):
    """Runs a command, then says on standard error what large packages it imported."""
    code = ('import sys\nfrom gslora_det_cli.__main__ import main\n'
            'try:\n    main()\n'
            "finally:\n    print({'torch', 'mmdet', 'numpy'} & {*sys.modules}, file=sys.stderr)")
    return subprocess.run([sys.executable, '-c', code, *words], cwd=ROOT, capture_output=True,
                          text=True)


@pytest.mark.parametrize('words', [['--help'], *([name, '--help'] for name in COMMANDS)])
def test_help_imports_nothing_large(words):
    result = light(*words)
    assert result.returncode == 0 and result.stderr == 'set()\n'
    assert result.stdout.startswith('usage: gslora')


@pytest.mark.parametrize('words, message', [
    (['erase', 'nowhere.py'], 'config nowhere.py does not exist'),
    (['erase', 'gslora_det::nowhere.py'], 'config gslora_det::nowhere.py does not exist; those of '
     f'the package are in {ROOT}/gslora_det/.mim/configs'),
    (['erase', 'setup.py', '--checkpoint', 'no.pth'], 'checkpoint no.pth does not exist'),
    (['erase', 'setup.py', '--cfg-options', 'a'], "--cfg-options: 'a' is not KEY=VALUE"),
    (['attack', 'nowhere'], 'nowhere/sequence.json is missing'),
    (['report', 'tests', 'nowhere'], 'tests/sequence.json is missing'),
    (['verify', 'nowhere'], 'nowhere/sequence.json is missing'),
    (['doctor', 'nowhere.py'], 'config nowhere.py does not exist'),
    (['doctor', 'setup.py', '--checkpoint', 'no.pth'], 'checkpoint no.pth does not exist'),
    (['doctor', '--classes', 'face'],
     '--checkpoint and --classes need the config of a detector before them'),
    (['export', 'setup.py', 'no.pth', 'out.pth'], 'checkpoint no.pth does not exist'),
    (['compare', 'nowhere.py'], 'config nowhere.py does not exist'),
    (['visualize', 'setup.py', 'no.pth', 'no.pth'], 'checkpoint no.pth does not exist'),
    (['train', 'nowhere.py'], 'config nowhere.py does not exist'),
    (['test', 'setup.py', 'no.pth'], 'checkpoint no.pth does not exist')])
def test_what_is_missing_is_said_before_anything_large_is_imported(words, message):
    result = light(*words)
    assert result.returncode == 2 and result.stdout == ''
    assert result.stderr == f'error: {message}\nset()\n'


def test_tools_have_the_flags_of_the_commands():
    for tool in sorted((ROOT / 'tools').glob('*.py')):
        result = run(tool, '--help')
        described = importlib.import_module(f'gslora_det_cli.{tool.stem}').__doc__
        assert result.returncode == 0 and tool.stem in COMMANDS
        assert described.split()[0] in result.stdout


def test_the_package_brings_configs_and_the_small_checkpoint(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cfg = load_config(SHIPPED)
    assert cfg.to_dict() == load_config(ROOT / 'configs/glyph80/ddetr_forget_80-1.py').to_dict()
    assert read_weights(cfg.load_from).keys() == read_weights(str(ROOT / cfg.load_from)).keys()


def test_a_base_of_the_package_is_read_as_any_other(tmp_path):
    """MMEngine marks what comes by ``::`` as of another scope, which no registry has."""
    (tmp_path / 'config.py').write_text(f"_base_ = ['{SHIPPED}']\nload_from = 'mine.pth'")
    cfg = load_config(tmp_path / 'config.py').to_dict()
    expected = load_config(SHIPPED).to_dict()
    assert cfg.pop('load_from') == 'mine.pth' != expected.pop('load_from')
    assert cfg.pop('work_dir') == 'work_dirs/config' and expected.pop('work_dir')
    assert cfg == expected


def test_classes_on_the_command_line(plain_config, tmp_path):
    result = run_tool(
        ROOT / 'gslora_det_cli/__main__.py', 'erase', plain_config, '--checkpoint', CHECKPOINT,
        '--classes', 'digit 7', 'Greek pi', '--classes', 'Latin R', '--work-dir', 'run',
        '--requester', 'J. Doe', '--request-id', '7',
        '--cfg-options', *SMALL, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    record = read_json(tmp_path / 'run/sequence.json')
    assert record['request'] == [['digit 7', 'Greek pi'], ['Latin R']]
    assert record['filing'] == dict(requester='J. Doe', request_id='7', operator=None)
    assert record['method'] == 'LinearErasure' and len(record['tasks']) == 2


def test_a_plain_config_alone_erases_nothing(plain_config, tmp_path):
    result = run_tool(ROOT / 'gslora_det_cli/__main__.py', 'erase', plain_config, cwd=tmp_path)
    assert result.returncode == 2 and result.stderr == (
        f'error: {plain_config} has no sequence, which would say what to erase: name classes\n')
    assert not (tmp_path / 'work_dirs').exists()
