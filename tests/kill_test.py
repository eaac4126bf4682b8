"""Kills a short sequence at random moments; resumed, it must end as if never interrupted.

    python tests/kill_test.py --kills 50

Of the moments a fifth lie while the data set is drawn, two fifths while a file is written,
and the rest anywhere. Whenever a sequence ends between two kills, it is compared with an
uninterrupted one, and the next begins.
"""

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import torch
from mmengine.config import Config
from PIL import Image

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # runs without an installation, too

import gslora_det  # noqa: E402, F401

# isort: split
from mmdet.registry import DATASETS  # noqa: E402
from mmdet.utils import register_all_modules  # noqa: E402

from gslora_det.datasets import Glyph80Dataset, ensure_glyph80  # noqa: E402
from gslora_det.engine.sequence import UnlearningSequence  # noqa: E402
from gslora_det.files import read_json  # noqa: E402
from gslora_det.weights import load_adapter, read_checkpoint  # noqa: E402


@DATASETS.register_module()
class TinyGlyph80(Glyph80Dataset):
    """160 training and 12 validation images."""

    def __init__(self, *args, data_root, **kwargs):
        ensure_glyph80(data_root, num_train=160, num_val=12)
        super().__init__(*args, data_root=data_root, **kwargs)


def config(folder, data, iters):
    cfg = Config.fromfile(ROOT / 'configs/glyph80/ddetr_forget_80-10x7.py')
    cfg.merge_from_dict({
        'load_from': str(ROOT / 'checkpoints/deformable-detr_r18_glyph80.pth'),
        'work_dir': str(folder), 'val_evaluator.ann_file': f'{data}/annotations/val.json',
        'sequence.num_tasks': 2, 'sequence.iters': iters, 'sequence.checkpoint_interval': 2,
        'sequence.pictures': 1, 'sequence.forget.batch_size': 2,
        'sequence.retain.batch_size': 2})
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        loader.dataset.update(type='TinyGlyph80', data_root=str(data))
    return cfg


def start(folder, data, iters):
    """Starts or resumes the sequence in a process of its own; gives its id."""
    process = os.fork()  # of this process, which has imported everything already
    if process:
        return process
    status = 1
    try:
        log = os.open(f'{folder}.log', os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, 1)
        os.dup2(log, 2)
        UnlearningSequence(config(folder, data, iters), resume=True).run()
        status = 0
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def ended(process, wait=False):
    """Whether the process has ended by itself; it must not fail."""
    found, status = os.waitpid(process, 0 if wait else os.WNOHANG)
    if found and status:
        raise SystemExit('FAIL: the sequence ended with an error, see its log')
    return bool(found)


def drafts(folder):
    return set(folder.rglob('.*.draft-*'))


def pause(seconds):
    """A condition that holds this long after it was first asked for."""
    ends = []

    def over():
        ends.append(time.monotonic() + seconds)
        return time.monotonic() >= ends[0]
    return over


def conditions(kind, moments, length, folder, data):
    """When to kill: the conditions come true one after the other."""
    if kind == 'drawing':
        return [lambda: any(data.parent.glob('.glyph80.draft-*')), pause(moments.uniform(0, 1))]
    if kind == 'writing':
        known = drafts(folder)
        return [pause(moments.uniform(0, length)), lambda: drafts(folder) - known]
    return [pause(moments.uniform(0, length))]


def kill(process, moment):
    """Kills the process at that moment; False if it ends before."""
    for condition in moment:
        while not condition():
            if ended(process):
                return False
            time.sleep(0.0002)
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    return True


def check_files(folder):
    """Reads every artefact; the folders named by a time are MMEngine's logs."""
    for path in folder.rglob('*'):
        if any(part[:2] == '20' for part in path.relative_to(folder).parts):
            continue
        if path.name.startswith('.') or path.is_dir():
            continue
        if path.suffix == '.json':
            read_json(path)
        elif path.suffix == '.pth':
            read_checkpoint(path)
        elif path.suffix == '.safetensors':
            load_adapter(path)
        elif path.suffix == '.png':
            Image.open(path).verify()


def outcome(folder):
    """Weights and record of a finished sequence, without times and paths."""
    record = read_json(folder / 'sequence.json')
    del record['runs'], record['config'], record['sha256']
    weights = []
    for task in record['tasks']:
        weights.append(read_checkpoint(folder / task['merged']['file'])['state_dict'])
        for key in ('seconds', 'peak_memory', 'merged', 'adapter'):
            del task[key]
    return record, weights


def same(a, b):
    return a[0] == b[0] and all(
        set(x) == set(y) and all(torch.equal(x[k], y[k]) for k in x)
        for x, y in zip(a[1], b[1]))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--kills', type=int, default=50)
    parser.add_argument('--seed', type=int, default=0, help='of the moments')
    args = parser.parse_args()
    register_all_modules()
    torch.set_num_threads(1)
    moments = random.Random(args.seed)
    root = Path(tempfile.mkdtemp(prefix='kill_test-'))
    data, iters = root / 'data/glyph80', 5

    began = time.monotonic()
    ended(start(root / 'whole', data, iters), wait=True)
    length = time.monotonic() - began
    ended(start(root / 'shorter', data, iters - 1), wait=True)
    whole = outcome(root / 'whole')
    if same(whole, outcome(root / 'shorter')):
        raise SystemExit('FAIL: the comparison cannot fail: a step less ends the same')
    print(f'uninterrupted: {length:.0f} s; a step less ends differently', flush=True)

    kills, finished, folder = Counter(), 0, root / 'killed_0'
    while True:
        kind = moments.choice(['drawing', 'writing', 'writing', 'anywhere', 'anywhere'])
        enough = kills.total() == args.kills
        if kind == 'drawing':
            shutil.rmtree(data, ignore_errors=True)  # a killed drawing leaves none
        process = start(folder, data, iters)
        if enough:
            ended(process, wait=True)
        elif kill(process, conditions(kind, moments, length, folder, data)):
            kills[kind] += 1
            check_files(folder)
            print(f'{kills.total()}: {kind}', flush=True)
            continue
        check_files(folder)
        if not same(whole, outcome(folder)):
            raise SystemExit(f'FAIL: {folder} differs from {root / "whole"}')
        finished += 1
        if enough:
            break
        folder = root / f'killed_{finished}'
    shutil.rmtree(root)
    print(f'PASS: {kills.total()} kills ({dict(kills)}), {finished} sequences ended bit for '
          'bit like the uninterrupted one; no file was unreadable')


if __name__ == '__main__':
    main()
