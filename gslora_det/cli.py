"""What the tools share: MMDet's flags, and one clear line instead of a traceback."""

import argparse
import logging
import os
import signal
import sys
from pathlib import Path
from typing import Callable

import torch
from mmdet.utils import register_all_modules
from mmengine.config import Config, DictAction
from mmengine.dist import get_rank, init_dist, is_main_process

from gslora_det.engine.safe_mmengine import install_atomic_writer, install_safe_loader
from gslora_det.quiet import silence_warnings


def add_common_flags(parser: argparse.ArgumentParser) -> None:
    """Adds the flags that MMDet's train.py and test.py have in common."""
    parser.add_argument('--work-dir', help='the folder to save logs and results in')
    add_cfg_options(parser)
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'],
                        default='none', help='job launcher')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)


def add_cfg_options(parser: argparse.ArgumentParser) -> None:
    """Adds MMDet's ``--cfg-options``."""
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction,
        help='override some settings in the config, as xxx=yyy; lists as a="[1,2]"')


def load_config(args: argparse.Namespace) -> Config:
    """Reads the config of a command line, with its overrides and ``work_dir``.

    Raises:
        ValueError: The file does not exist or is no config, or an override does not fit.
    """
    if not Path(args.config).is_file():
        raise ValueError(f'config {args.config} does not exist')
    try:
        cfg = Config.fromfile(args.config)
    except Exception as error:  # a config is a program: it may raise anything
        raise ValueError(f'config {args.config} cannot be read: {_one_line(error)}') from error
    options = args.cfg_options or {}
    for key, value in options.items():
        if 'dict(' in str(value):  # MMEngine would take it for a string
            raise ValueError(f'--cfg-options {key}: dicts cannot be given here; set their '
                             f'parts, as {key}.name=… or, in a list, {key}.0.name=…')
    try:
        cfg.merge_from_dict(options)
    except (AssertionError, KeyError, TypeError) as error:
        raise ValueError(f'--cfg-options do not fit {args.config}: {_one_line(error)}'
                         ) from error
    cfg.launcher = args.launcher
    if args.launcher != 'none' and not torch.cuda.is_available():
        cfg.model_wrapper_cfg = dict(  # MMEngine's default asks for a GPU
            type='MMDistributedDataParallel', device_ids=None, broadcast_buffers=False,
            find_unused_parameters=cfg.get('find_unused_parameters', False))
    if args.work_dir:
        cfg.work_dir = args.work_dir
    elif not cfg.get('work_dir'):
        cfg.work_dir = str(Path('work_dirs') / Path(args.config).stem)
    return cfg


def _one_line(error: Exception) -> str:
    return ' '.join(f'{type(error).__name__}: {error}'.split())


def prepare_process(args: argparse.Namespace) -> None:
    """Safe loading, registration, and the process group where there is a launcher."""
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    silence_warnings()
    install_safe_loader()
    install_atomic_writer()
    register_all_modules()
    if args.launcher == 'none':
        return
    if torch.cuda.is_available():
        init_dist(args.launcher, backend='nccl')
    elif args.launcher == 'pytorch':
        torch.distributed.init_process_group('gloo')  # MMEngine's function needs a GPU
    else:
        raise ValueError(f'--launcher {args.launcher} needs GPUs: on CPUs use '
                         'tools/dist_train.sh or tools/dist_test.sh')


class Terminated(KeyboardInterrupt):
    """SIGTERM, which ends a run as Ctrl-C does."""


def _terminate(*_) -> None:
    raise Terminated


def _workers_hang_up_quietly(main_process: int) -> Callable[..., None]:
    """An excepthook: data loader workers say nothing about a main process that is gone."""
    def excepthook(kind, error, traceback) -> None:
        if os.getpid() == main_process or not issubclass(kind, ConnectionError):
            sys.__excepthook__(kind, error, traceback)

    return excepthook


def run_tool(main: Callable[[], None], how_to_continue: str = '') -> None:
    """Runs a tool; bad input and signals end it with one line.

    A ``ValueError`` is what this package raises on bad input, an ``OSError`` what a full
    disk or a read-only folder does: exit code 2. Set GSLORA_DEBUG=1 to see where it came
    from. Ctrl-C ends with exit code 130, SIGTERM with 143.

    Args:
        main (callable): The tool.
        how_to_continue (str): What a stopped tool says.
    """
    signal.signal(signal.SIGTERM, _terminate)
    logging.raiseExceptions = False  # no traceback of a log file on a disk that is full
    sys.excepthook = _workers_hang_up_quietly(os.getpid())
    try:
        main()
    except (ValueError, OSError) as error:
        if os.environ.get('GSLORA_DEBUG'):
            raise
        rank = '' if is_main_process() else f'rank {get_rank()}: '
        print(f'{rank}error: {error}', file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt as stop:
        for kind in (signal.SIGINT, signal.SIGTERM):  # let a second one not disturb the end
            signal.signal(kind, signal.SIG_IGN)
        if is_main_process():
            print(f'stopped{how_to_continue}', file=sys.stderr)
        sys.exit(143 if isinstance(stop, Terminated) else 130)
