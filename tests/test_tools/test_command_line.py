import os
import pickle
import shutil
import subprocess
import sys

import pytest
import torch
from support import CHECKPOINT, ROOT, run, run_tool

from gslora_det.engine.record import save_record
from gslora_det.files import read_json, sha256

CONFIG = 'configs/glyph80/ddetr_forget_80-1.py'


@pytest.fixture(scope='module')
def options(glyph80):
    return ['--cfg-options', f'train_dataloader.dataset.data_root={glyph80}',
            f'val_dataloader.dataset.data_root={glyph80}',
            f'test_dataloader.dataset.data_root={glyph80}',
            f'val_evaluator.ann_file={glyph80}/annotations/val.json',
            f'test_evaluator.ann_file={glyph80}/annotations/val.json',
            'sequence.iters=2', 'sequence.retain.batch_size=2', 'sequence.forget.batch_size=2']


@pytest.fixture(scope='module')
def trained(options, tmp_path_factory):
    folder = tmp_path_factory.mktemp('runs') / 'run'
    return folder, run('tools/train.py', CONFIG, '--work-dir', folder, *options)


def test_train_runs_and_its_terminal_is_quiet(trained):
    folder, result = trained
    assert result.returncode == 0, result.stderr
    assert (folder / 'task_1/merged.pth').exists()
    assert 'trainable: 51,200 parameters, 1.25 % of 4,' in result.stdout
    noise = ('OneDL', 'init_weights', 'mmengine - INFO', 'Warning', 'DONE (t=')
    assert not [word for word in noise if word in result.stdout + result.stderr]
    assert len(result.stdout.splitlines()) < 60


def test_test_measures_merged_and_original(trained, options):
    folder, _ = trained
    for checkpoint in (folder / 'task_1/merged.pth',
                       'checkpoints/deformable-detr_r18_glyph80.pth'):
        result = run_tool('tools/test.py', CONFIG, checkpoint, '--work-dir', folder / 'test',
                          *options)
        assert result.returncode == 0, result.stderr
        assert 'coco/AP_retained' in result.stdout + result.stderr


STAND_IN = """
import importlib.machinery, importlib.util, sys, types

def operator(name):
    if name.startswith('__'):
        raise AttributeError(name)
    return lambda *args: 1 / 0

if importlib.util.find_spec('mmcv._ext') is None:
    module = types.ModuleType('mmcv._ext')
    module.__spec__ = importlib.machinery.ModuleSpec('mmcv._ext', None)
    module.__getattr__ = operator
    sys.modules['mmcv._ext'] = module
import numpy as np
from mmdet.apis import inference_detector, init_detector
model = init_detector(sys.argv[1], sys.argv[2], device='cpu')
found = inference_detector(model, np.zeros((128, 128, 3), np.uint8))
assert 'gslora_det' not in sys.modules
print('CLASSES', model.dataset_meta['classes'][0], len(found.pred_instances))
"""


def test_merged_file_loads_in_plain_mmdet(trained, tmp_path):
    folder, _ = trained
    # A config without this package: the detector and a pipeline.
    from mmengine.config import Config
    cfg = Config.fromfile(ROOT / CONFIG)
    plain = Config(dict(model=cfg.model, test_dataloader=dict(dataset=dict(
        type='CocoDataset', pipeline=cfg.test_pipeline)), default_scope='mmdet'))
    plain.dump(tmp_path / 'plain.py')
    script = tmp_path / 'script.py'
    script.write_text(STAND_IN)
    result = subprocess.run(
        [sys.executable, str(script), str(tmp_path / 'plain.py'),
         str(folder / 'task_1/merged.pth')], cwd=tmp_path, capture_output=True, text=True)
    assert 'CLASSES digit 2 100' in result.stdout, result.stderr


def test_verify_says_what_differs(trained):
    folder, _ = trained
    result = run_tool('tools/verify.py', folder, '--no-metrics')
    assert result.returncode == 0 and result.stdout.count('PASS') == 6, result.stderr
    assert result.stdout.count(': checked, ') == 5  # all but the number of tasks
    missing = run_tool('tools/verify.py', folder / 'task_1')
    assert missing.returncode == 2
    assert missing.stderr == f'error: {folder}/task_1/sequence.json is missing\n'


class Canary:

    def __reduce__(self):
        return os.mkdir, ('canary', )


@pytest.fixture
def malicious(tmp_path):
    torch.save({'state_dict': {'weight': Canary()}}, tmp_path / 'malicious.pth')
    (tmp_path / 'plain.pth').write_bytes(pickle.dumps(Canary()))
    return tmp_path


def test_malicious_checkpoints_never_run(malicious, options):
    commands = [
        ('train.py', CONFIG, '--work-dir', malicious / 'run', *options,
         f'load_from={malicious}/malicious.pth'),
        ('test.py', CONFIG, malicious / 'malicious.pth', '--work-dir', malicious / 'run',
         *options),
        ('export.py', CONFIG, malicious / 'malicious.pth', malicious / 'out.pth'),
        ('visualize.py', CONFIG, malicious / 'malicious.pth', malicious / 'malicious.pth',
         '--out', malicious / 'pictures', *options)]
    for tool, config, *arguments in commands:
        result = run_tool(ROOT / 'tools' / tool, ROOT / config, *arguments, cwd=malicious)
        assert result.returncode == 2
        assert 'which could run code' in result.stderr
        assert len(result.stderr.strip().splitlines()) == 1
    assert not (malicious / 'canary').exists() and not (malicious / 'out.pth').exists()


def test_a_malicious_work_dir_is_not_run_by_report(malicious, trained):
    folder = malicious / 'run'
    shutil.copytree(trained[0], folder)
    shutil.copy(malicious / 'malicious.pth', folder / 'task_1/merged.pth')
    record = read_json(folder / 'sequence.json')
    record['tasks'][0]['merged']['sha256'] = sha256(folder / 'task_1/merged.pth')
    save_record(folder, record)
    result = run_tool(ROOT / 'tools/report.py', folder, '--out', malicious / 'report.html',
                      '--cfg-options', f'load_from={CHECKPOINT}', cwd=malicious)
    assert result.returncode == 2 and 'which could run code' in result.stderr
    assert not (malicious / 'canary').exists() and not (malicious / 'report.html').exists()


def test_a_malicious_checkpoint_is_not_run_by_compare(malicious, glyph80):
    (malicious / 'comparison.py').write_text(
        f"settings = dict(one=dict(config='{ROOT}/{CONFIG}', "
        f"load_from='{malicious}/malicious.pth', "
        f"train_dataloader=dict(dataset=dict(data_root='{glyph80}')), "
        f"val_dataloader=dict(dataset=dict(data_root='{glyph80}')), "
        f"val_evaluator=dict(ann_file='{glyph80}/annotations/val.json')))\n"
        'methods, seeds = dict(GSLoRA=dict()), dict(one=1)\n')
    result = run_tool(ROOT / 'tools/compare.py', malicious / 'comparison.py', '--work-dir',
                      malicious / 'comparison', cwd=malicious)
    assert result.returncode == 1 and 'one__GSLoRA__0 failed' in result.stdout
    log = (malicious / 'comparison/runs/one__GSLoRA__0/log.txt').read_text('utf-8')
    assert 'which could run code' in log
    assert not (malicious / 'canary').exists()


@pytest.mark.parametrize('arguments, message', [
    (['configs/nowhere.py'], 'config configs/nowhere.py does not exist'),
    (['configs/ddetr_forget_80-10x7.py'],
     'data/coco/annotations/instances_train2017.json is missing. COCO 2017 is expected'),
])
def test_bad_input_ends_train_with_one_line(arguments, message, tmp_path):
    result = run_tool('tools/train.py', *arguments, '--work-dir', tmp_path / 'run')
    assert result.returncode == 2 and message in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert not (tmp_path / 'run').exists()


@pytest.mark.parametrize('tool, arguments', [
    ('train', ['--cfg-options', 'load_from=gone.pth']),
    ('doctor', ['--cfg-options', 'load_from=gone.pth']),
    ('test', ['gone.pth']), ('export', ['gone.pth', 'out.pth']),
    ('visualize', ['gone.pth', 'gone.pth'])])
def test_a_missing_checkpoint_is_found_before_data_are_drawn(tool, arguments, tmp_path):
    result = run_tool(ROOT / f'tools/{tool}.py', ROOT / CONFIG, *arguments, cwd=tmp_path)
    assert result.returncode == (1 if tool == 'doctor' else 2)
    assert 'pth does not exist' in result.stdout + result.stderr
    assert len((result.stderr or result.stdout.splitlines()[-1]).strip().splitlines()) == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize('where, message', [
    ('task_1/merged.pth', 'a sequence is continued from its work dir, the folder of its sequence'),
    ('nowhere', 'there is no sequence to continue, for there is no ')])
def test_only_a_begun_sequence_is_resumed(trained, options, where, message):
    folder, _ = trained
    result = run_tool('tools/train.py', CONFIG, '--resume', folder / where, *options)
    assert result.returncode == 2 and len(result.stderr.strip().splitlines()) == 1
    assert f'error: --resume {folder}/{where}: {message}' in result.stderr
    assert not (folder / 'nowhere').exists()


def test_flags_of_test_need_neither_test_data_nor_hooks(glyph80, tmp_path):
    (tmp_path / 'config.py').write_text(f"""
_base_ = '{ROOT}/{CONFIG}'
test_dataloader, test_evaluator, default_hooks = None, None, None
val_dataloader = dict(dataset=dict(data_root='{glyph80}/'), num_workers=0,
                      persistent_workers=False)
val_evaluator = dict(ann_file='{glyph80}/annotations/val.json')
tta_model = dict(type='DetTTAModel', tta_cfg=dict(
    nms=dict(type='nms', iou_threshold=0.5), max_per_img=100))
tta_pipeline = [dict(type='LoadImageFromFile'), dict(type='TestTimeAug', transforms=[
    [dict(type='Resize', scale=(128, 128))], [dict(type='RandomFlip', prob=0.0)],
    [dict(type='LoadAnnotations', with_bbox=True)],
    [dict(type='PackDetInputs', meta_keys=(
        'img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor', 'flip',
        'flip_direction'))]])]
""")
    result = run_tool(ROOT / 'tools/test.py', 'config.py', CHECKPOINT, '--tta', '--show-dir',
                      'shown', cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert len(list(tmp_path.glob('work_dirs/config/*/shown/*.png'))) == 12


def test_doctor_passes_here_and_names_what_fails(options, tmp_path):
    options = ['--work-dir', tmp_path / 'run', *options]
    good = run_tool('tools/doctor.py', CONFIG, *options)
    assert good.returncode == 0, good.stdout
    assert good.stdout.count('PASS') == 8
    bad = run_tool('tools/doctor.py', CONFIG, *options, 'load_from=nowhere.pth')
    assert bad.returncode == 1 and 'FAIL  checkpoint: checkpoint nowhere.pth' in bad.stdout


def test_doctor_takes_what_erase_takes(plain_config):
    request = [plain_config, '--checkpoint', CHECKPOINT, '--classes']
    good = run_tool('tools/doctor.py', *request, 'Latin a', '--classes', 'digit 6', 'digit 7')
    assert good.returncode == 0, good.stdout
    assert good.stdout.endswith(
        'PASS  class names, buffers and method: 2 tasks erase 3 of 80 classes\n')
    bad = run_tool('tools/doctor.py', *request, 'digit 66')
    assert bad.returncode == 1 and "'digit 66'" in bad.stdout.splitlines()[-1]


def test_report_shows_a_run_and_is_one_file(trained, tmp_path):
    folder, _ = trained
    out = tmp_path / 'new/report.html'
    result = run_tool('tools/report.py', folder, '--out', out, '--pictures', '3')
    assert result.returncode == 0, result.stderr
    page = out.read_text('utf-8')
    assert 'Report on forgetting 1 of 80 classes' in page and '3 of 3 images' in page
    assert page.count('data:image/jpeg') == 2 * (3 + 1)  # and the one on the first screen
    assert ' '.join(page.split()).count('</code>: checked</dd>') == 2


def test_report_shows_the_first_original_as_before(trained, tmp_path):
    folder, start = tmp_path / 'run', tmp_path / 'gone.pth'
    shutil.copytree(trained[0], folder)
    config = folder / 'config.py'
    config.write_text(config.read_text('utf-8') + f'load_from = {str(start)!r}\n')
    record = read_json(folder / 'sequence.json')
    record.update(original_weights=record['weights'], weights=dict(file=str(start), sha256='0'))
    record['config']['sha256'] = sha256(config)
    save_record(folder, record)
    out = tmp_path / 'report.html'
    result = run_tool('tools/report.py', folder, '--out', out, '--pictures', '1')
    assert result.returncode == 0, result.stderr
    page = ' '.join(out.read_text('utf-8').split())
    assert page.count('</code>: checked</dd>') == 2 and f'{start}</code>, SHA-256' in page
    assert page.count('</code>: not checked</dd>') == 1


@pytest.mark.parametrize('flags, message', [
    (['--pictures', -1, '--score-thr', 1.5], '--score-thr is 1.5: set a number from 0 to below 1; '
     '--pictures is -1: set a whole number from 1 to 1,000,000'),
    (['--cfg-options', 'val_dataloader.dataset.ann_file=/gone.json'],
     '/gone.json is missing; run from the folder that the config expects, or add --no-gallery'),
    (['--cfg-options', 'load_from=gone.pth'],
     'checkpoint gone.pth does not exist; run from the folder that the config expects, or add '
     '--no-gallery')])
def test_what_report_needs_for_a_gallery_is_said_in_one_line(trained, tmp_path, flags, message):
    result = run_tool('tools/report.py', trained[0], '--out', tmp_path / 'report.html', *flags)
    assert result.returncode == 2 and result.stderr == f'error: {message}\n'
    assert not (tmp_path / 'report.html').exists()


def test_bad_input_ends_report_with_one_line(trained, tmp_path):
    record = read_json(trained[0] / 'sequence.json')
    cases = {'is missing': None, 'has format version 99': dict(record, format_version=99),
             'has no finished task': dict(record, tasks=[]),
             'is not the file that was recorded': record}
    for i, (message, content) in enumerate(cases.items()):
        folder = tmp_path / str(i)
        folder.mkdir()
        (folder / 'config.py').write_text((trained[0] / 'config.py').read_text('utf-8'))
        if content:
            save_record(folder, content)
        result = run_tool('tools/report.py', folder, '--out', tmp_path / 'report.html')
        assert result.returncode == 2 and message in result.stderr
        assert len(result.stderr.strip().splitlines()) == 1
    assert not (tmp_path / 'report.html').exists()
