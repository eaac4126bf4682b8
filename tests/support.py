"""Fixtures, and what tests share."""

import contextlib
import multiprocessing
import os
import resource
import runpy
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ.setdefault('OMP_NUM_THREADS', '1')

import pytest  # noqa: E402
import torch  # noqa: E402
from mmengine.config import Config  # noqa: E402
from mmengine.registry import init_default_scope  # noqa: E402
from mmengine.structures import InstanceData  # noqa: E402

import gslora_det  # noqa: E402, F401

# isort: split
from mmdet.registry import MODELS  # noqa: E402
from mmdet.structures import DetDataSample  # noqa: E402

from gslora_det.datasets import ensure_glyph80  # noqa: E402
from gslora_det.engine.sequence import UnlearningSequence  # noqa: E402
from gslora_det.files import folder_lock  # noqa: E402
from gslora_det.weights import read_weights, save_weights  # noqa: E402

ROOT = Path(__file__).parents[1]
CONFIGS = ROOT / 'configs'
CHECKPOINT = ROOT / 'checkpoints/deformable-detr_r18_glyph80.pth'


def run(*command, cwd=ROOT, **env):
    """Runs Python as a user would."""
    return subprocess.run(
        [sys.executable, *map(str, command)], cwd=cwd, capture_output=True, text=True,
        env=dict(os.environ, PYTHONPATH=str(ROOT), **env))


# Most of what a tool takes is the time to import torch and mmdet.
_FORKS = multiprocessing.get_context('forkserver')
_FORKS.set_forkserver_preload(['gslora_det.api', 'gslora_det.reporting', 'mmdet.models',
                               'mmdet.datasets', 'mmdet.engine', 'mmdet.evaluation',
                               'torch._dynamo'])  # as the first optimiser does


def _script(command, cwd, env, out, err):
    os.setsid()
    # As a terminal starts it: where tests run in parallel, Ctrl-C is ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    multiprocessing.set_start_method('fork', force=True)  # of a new process, too
    os.chdir(cwd)
    os.environ.update(env)
    # As Python does with the script's folder.
    sys.path[:0] = [str(Path(command[0]).resolve().parent), *env['PYTHONPATH'].split(os.pathsep)]
    for descriptor, path in ((1, out), (2, err)):
        os.dup2(os.open(path, os.O_WRONLY), descriptor)
    sys.argv = command
    runpy.run_path(command[0], run_name='__main__')


@contextlib.contextmanager
def running_tool(*command, cwd=ROOT, **env):
    """A tool in a fork of a process that has imported the packages, in a group of its own.

    Yields the process and the files that it writes its output and errors to.
    """
    command, env = list(map(str, command)), {'PYTHONPATH': str(ROOT), **env}
    with tempfile.NamedTemporaryFile('r') as out, tempfile.NamedTemporaryFile('r') as err:
        process = _FORKS.Process(target=_script, args=(command, cwd, env, out.name, err.name))
        process.start()
        yield process, out, err
        process.join()


def run_tool(*command, **options):
    """As :func:`run`, by :func:`running_tool`."""
    with running_tool(*command, **options) as (process, out, err):
        process.join()
        return subprocess.CompletedProcess(command, process.exitcode, out.read(), err.read())


def fork(function):
    """Starts a function in a fork of this process."""
    process = multiprocessing.get_context('fork').Process(target=function)
    process.start()
    return process


@contextlib.contextmanager
def locked_by_another(path):
    """Within the block, another process holds the lock."""
    locked, done = multiprocessing.Event(), multiprocessing.Event()

    def other():
        with folder_lock(path):
            locked.set()
            done.wait(60)

    process = fork(other)
    assert locked.wait(60)
    try:
        yield
    finally:
        done.set()
        process.join()


@contextlib.contextmanager
def full_disk(size):
    """Within the block, no file of this process can grow beyond this many bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture(scope='session', autouse=True)
def default_scope():
    init_default_scope('mmdet')


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


@pytest.fixture(scope='session')
def glyph80(tmp_path_factory):
    """A small Glyph80: 160 training and 12 validation images."""
    root = tmp_path_factory.mktemp('data') / 'glyph80'
    ensure_glyph80(str(root), num_train=160, num_val=12)
    return root


def _tiny_config():
    cfg = Config.fromfile(CONFIGS / '_base_/models/deformable-detr_r18_glyph80.py').model
    cfg.backbone.base_channels = 8
    cfg.neck.in_channels = [16, 32, 64]
    cfg.neck.out_channels = 32
    cfg.num_queries = 12
    cfg.encoder.num_layers = 1
    cfg.decoder.num_layers = 2
    cfg.positional_encoding.num_feats = 16
    cfg.bbox_head.update(num_classes=5, embed_dims=32)
    cfg.test_cfg.max_per_img = 20
    for coder in (cfg.encoder, cfg.decoder):
        for part in coder.layer_cfg.values():
            part.embed_dims = 32
        coder.layer_cfg.ffn_cfg.feedforward_channels = 64
    return cfg


@pytest.fixture
def tiny_config():
    """A Deformable DETR of one encoder and two decoder layers, five classes."""
    return _tiny_config()


@pytest.fixture(scope='session')
def tiny_weights(tmp_path_factory):
    """A checkpoint of the tiny detector, with random weights."""
    torch.manual_seed(0)
    detector = MODELS.build(_tiny_config())
    detector.init_weights()
    for branch in detector.bbox_head.reg_branches:  # MMDet starts them at zero
        torch.nn.init.normal_(branch[-1].weight, std=0.1)
    path = tmp_path_factory.mktemp('weights') / 'tiny.pth'
    save_weights(detector.state_dict(), path, {})
    return str(path)


def samples(labels_per_image, size=64, seed=0):
    """Data samples with boxes of the given classes at random places."""
    generator = torch.Generator().manual_seed(seed)
    found = []
    for labels in labels_per_image:
        corners = torch.rand(len(labels), 2, generator=generator) * size / 2
        sides = 8 + torch.rand(len(labels), 2, generator=generator) * size / 3
        sample = DetDataSample(metainfo=dict(
            img_shape=(size, size), batch_input_shape=(size, size), ori_shape=(size, size),
            pad_shape=(size, size), scale_factor=(1.0, 1.0)))
        sample.gt_instances = InstanceData(
            bboxes=torch.cat([corners, corners + sides], 1),
            labels=torch.tensor(labels, dtype=torch.long))
        sample.ignored_instances = InstanceData(
            bboxes=torch.zeros(0, 4), labels=torch.zeros(0, dtype=torch.long))
        found.append(sample)
    return found


@pytest.fixture
def pair():
    """A paired batch: class 4 is forgotten, 0 to 2 are retained, 3 was erased before."""
    forget, retain = samples([[4], [4, 4]]), samples([[0, 1], [2], []], seed=1)
    inputs = dict(forget=torch.randn(2, 3, 64, 64), retain=torch.randn(3, 3, 64, 64))
    return inputs, dict(forget=forget, retain=retain)


@pytest.fixture(scope='session')
def config(glyph80):
    """Makes the config of a short sequence of two tasks."""
    def make(work_dir, **options):
        cfg = Config.fromfile(CONFIGS / 'glyph80/ddetr_forget_80-10x7.py')
        cfg.merge_from_dict({
            'load_from': str(CHECKPOINT), 'work_dir': str(work_dir), 'sequence.num_tasks': 2,
            'sequence.iters': 5, 'sequence.checkpoint_interval': 2, 'sequence.pictures': 1,
            'sequence.forget.batch_size': 2, 'sequence.retain.batch_size': 2, **options})
        for name in ('train', 'val'):
            loader = cfg[f'{name}_dataloader']
            # Serialising collects the garbage of everything that is imported.
            loader.dataset.update(data_root=str(glyph80), serialize_data=False)
            loader.update(num_workers=0, persistent_workers=False)
        cfg.val_evaluator.ann_file = str(glyph80 / 'annotations/val.json')
        cfg.test_dataloader, cfg.test_evaluator = cfg.val_dataloader, cfg.val_evaluator
        return cfg
    return make


@pytest.fixture(scope='session')
def finished(config, tmp_path_factory):
    """The folder of a finished sequence of two tasks."""
    folder = tmp_path_factory.mktemp('runs') / 'finished'
    UnlearningSequence(config(folder)).run()
    return folder


CLASSES = list('abcde')
SPLIT = dict(retained=['a', 'b', 'c'], forgotten=['e'], old=['d'])


@pytest.fixture
def build_unlearning(tiny_config, tiny_weights):
    """Builds an UnlearningDetector around the tiny detector."""
    def build(split=SPLIT, weights=tiny_weights, original=None, **method):
        method = dict(dict(type='GSLoRA', classes=CLASSES, split=split), **method)
        if method['type'].startswith('GSLoRA') or method['type'] == 'LinearErasure':
            method.setdefault('rank', 2)
        return MODELS.build(dict(type='UnlearningDetector', detector=tiny_config,
                                 method=method, weights=read_weights(weights),
                                 original=original and read_weights(original)))
    return build


@pytest.fixture
def plain_config(glyph80, tmp_path):
    """The file of a detector's MMDet config that knows nothing of erasing."""
    path = tmp_path / 'detector.py'
    path.write_text(f"""
_base_ = ['{CONFIGS}/_base_/models/deformable-detr_r18_glyph80.py',
          '{CONFIGS}/_base_/datasets/glyph80_detection.py', '{CONFIGS}/_base_/runtime.py']
train_dataloader = dict(dataset=dict(data_root='{glyph80}/'), num_workers=0,
                        persistent_workers=False)
val_dataloader = dict(dataset=dict(data_root='{glyph80}/'), num_workers=0,
                      persistent_workers=False)
val_evaluator = dict(ann_file='{glyph80}/annotations/val.json')
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=12)
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.02, momentum=0.9))
param_scheduler = [dict(type='MultiStepLR', by_epoch=True, milestones=[8, 11])]
custom_hooks = [dict(type='EMAHook')]
""")
    return path
