"""Two processes on a CPU."""

import contextlib
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from support import CONFIGS, ROOT, run_tool, running_tool

from gslora_det.files import read_json, write_json
from gslora_det.weights import read_weights

# Writes the mean of each loss over the processes, as DDP averages their gradients; FAULT
# makes the second process fail in its own way at its second step.
HOOK = """
import json, os
import torch
from mmdet.registry import HOOKS
from mmengine.dist import all_reduce_dict, get_rank, is_main_process
from mmengine.hooks import Hook

@HOOKS.register_module()
class LossesHook(Hook):
    priority = 'HIGHEST'

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if get_rank() == 1 and runner.iter == 1 and os.environ.get('FAULT') == 'raise':
            raise RuntimeError('no luck on rank 1')
        if get_rank() == 1 and runner.iter == 1 and os.environ.get('FAULT') == 'missing':
            open('gone.png')
        if get_rank() == 1 and runner.iter == 1 and os.environ.get('FAULT') == 'nan':
            outputs['retain_loss_bbox'].fill_(float('nan'))
        losses = {k: v.detach().clone() for k, v in outputs.items() if 'loss' in k}
        all_reduce_dict(losses, 'mean')
        if is_main_process():
            with open(os.environ['LOSSES'], 'a') as file:
                file.write(json.dumps({k: v.item() for k, v in losses.items()}) + '\\n')
"""


def free_port():
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        return str(free.getsockname()[1])


def dist_train(processes, config, *arguments, **env):
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ['PATH']])
    return subprocess.run(
        list(map(str, ['tools/dist_train.sh', config, processes, *arguments])),
        cwd=ROOT, capture_output=True, text=True, timeout=300,
        env=dict(os.environ, PATH=path, PORT=free_port(), **env))


def fork_ranks(processes, *arguments, **env):
    env.update(MASTER_ADDR='127.0.0.1', MASTER_PORT=free_port(), WORLD_SIZE=str(processes))
    with contextlib.ExitStack() as stack:
        ranks = [stack.enter_context(running_tool(
            'tools/train.py', *arguments, '--launcher', 'pytorch',
            RANK=str(rank), LOCAL_RANK=str(rank), **env)) for rank in range(processes)]
        for process, _, _ in ranks:
            process.join()
        return subprocess.CompletedProcess(
            arguments, int(all(process.exitcode for process, _, _ in ranks)),  # if all failed
            *(''.join(file.read() for file in files) for files in list(zip(*ranks))[1:]))


@pytest.fixture(scope='module')
def start(glyph80, tmp_path_factory):
    """Starts a run of one task; gives its folder, its losses and the finished process."""
    folder = tmp_path_factory.mktemp('distributed')
    (folder / 'losses_hook.py').write_text(HOOK)
    # An odd number of validation images: one process of two is given one of them again.
    coco = read_json(glyph80 / 'annotations/val.json')
    coco['images'] = coco['images'][:11]
    kept = {image['id'] for image in coco['images']}
    coco['annotations'] = [a for a in coco['annotations'] if a['image_id'] in kept]
    write_json(folder / 'val.json', coco)
    (folder / 'config.py').write_text(
        f"_base_ = '{CONFIGS}/glyph80/ddetr_forget_80-5.py'\n"
        f"custom_imports = dict(imports=['losses_hook'])\n"
        f"custom_hooks = [dict(type='LossesHook')]\n"
        f"load_from = '{ROOT}/checkpoints/deformable-detr_r18_glyph80.pth'\n")

    def run(name, processes, *options, **env):
        work_dir = folder / name
        arguments = [
            folder / 'config.py',
            '--work-dir', work_dir, '--cfg-options', 'sequence.iters=4',
            f'sequence.forget.batch_size={4 // processes}',
            f'sequence.retain.batch_size={8 // processes}', 'sequence.pictures=2',
            f'val_dataloader.dataset.ann_file={folder}/val.json',
            f'val_evaluator.ann_file={folder}/val.json', *(
                f'{split}_dataloader.dataset.data_root={glyph80}'
                for split in ('train', 'val', 'test')), *options]
        env = dict(LOSSES=str(folder / f'{name}.jsonl'),
                   PYTHONPATH=f'{ROOT}{os.pathsep}{folder}', **env)
        if processes == 1:
            result = run_tool('tools/train.py', *arguments, **env)
        elif 'FAULT' in env:  # the ranks must end without the help of the script's launcher
            result = fork_ranks(processes, *arguments, **env)
        else:
            result = dist_train(processes, *arguments, **env)
        steps = [json.loads(line) for line in Path(env['LOSSES']).read_text().splitlines()]
        return work_dir, steps, result
    return run


@pytest.fixture(scope='module')
def one_and_two(start):
    runs = [start(name, processes) for name, processes in (('one', 1), ('two', 2))]
    for _, _, result in runs:
        assert result.returncode == 0, result.stderr
    return runs


def test_two_processes_have_the_losses_of_one(one_and_two):
    (_, one, _), (_, two, _) = one_and_two
    assert len(one) == len(two) == 4
    assert {'retain_loss_cls', 'forget_loss_cls', 'distill_loss_cls'} < set(one[0])
    for a, b in zip(one, two):
        assert b == pytest.approx(a, rel=0, abs=1e-5)


def test_two_processes_end_like_one(one_and_two):
    (one, _, _), (two, _, _) = one_and_two
    first, second = (read_json(folder / 'sequence.json') for folder in (one, two))
    assert second['original'] == first['original']  # no image is counted twice
    for key in ('AP_retained', 'AP_forgotten', 'H'):
        assert second['tasks'][0]['metrics'][key] == pytest.approx(
            first['tasks'][0]['metrics'][key], abs=1e-4)
    assert first['tasks'][0]['images_seen'] == second['tasks'][0]['images_seen'] == 4 * 12
    weights = [read_weights(folder / 'task_1/merged.pth') for folder in (one, two)]
    for key, value in weights[0].items():
        torch.testing.assert_close(weights[1][key], value, rtol=0, atol=1e-5)
    pictures = [sorted(p.name for p in folder.glob('erased/task_1/*')) for folder in (one, two)]
    assert pictures[0] == pictures[1] and len(pictures[0]) == 2


def test_rank_0_alone_writes_and_speaks(one_and_two):
    _, (folder, _, result) = one_and_two
    assert result.stdout.count('Table:') == 1
    assert len(list(folder.glob('task_1/*/*.log'))) == 1


@pytest.fixture(scope='module')
def original(one_and_two):
    """Where the original model has been measured."""
    (folder, _, _), _ = one_and_two
    return f'sequence.original={folder}/sequence.json'


def test_two_processes_have_one_file_of_the_detector_s_labels(start, original):
    """That of one process: the main one alone looks, and the other reads what it wrote."""
    runs = [start(f'labels_{processes}', processes, 'sequence.labels=detector', original)
            for processes in (1, 2)]
    for _, _, result in runs:
        assert result.returncode == 0, result.stderr
        assert result.stdout.count('training labels: no annotations, but ') == 1
    (one, losses, _), (two, others, _) = runs
    name = 'detected_annotations.json'
    assert (one / name).read_bytes() == (two / name).read_bytes()
    for a, b in zip(losses, others):
        assert b == pytest.approx(a, rel=0, abs=1e-5)


def test_an_exception_on_one_rank_ends_all_with_its_traceback(start, original):
    folder, steps, result = start('raise', 2, original, FAULT='raise')
    assert result.returncode != 0 and len(steps) == 1
    assert "raise RuntimeError('no luck on rank 1')" in result.stderr
    assert not list(folder.glob('task_1/merged.pth'))


def test_bad_input_of_one_rank_is_said(start, original):
    _, _, result = start('missing', 2, original, FAULT='missing')
    assert result.returncode != 0
    assert "rank 1: error: [Errno 2] No such file or directory: 'gone.png'" in result.stderr


def test_a_loss_that_is_not_finite_on_one_rank_ends_all(start, original):
    folder, steps, result = start('nan', 2, original, FAULT='nan')
    assert result.returncode != 0 and len(steps) == 2
    errors = [line for line in result.stderr.splitlines() if line.startswith('error: ')]
    assert len(errors) == 1 and errors[0].startswith(
        'error: task 1, step 2: retain_loss_bbox is not finite')
    assert not list(folder.glob('task_1/merged.pth'))
