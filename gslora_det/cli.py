"""What the tools share: MMDet's flags, and one clear line instead of a traceback."""

import argparse
import logging
import os
import sys
from pathlib import Path
from typing import Callable

import torch
from mmdet.utils import register_all_modules
from mmengine.config import Config
from mmengine.dist import get_rank, init_dist, is_main_process

from gslora_det.cfg_options import CfgOptions
from gslora_det.engine.config_file import read_config
from gslora_det.quiet import silence_warnings
from gslora_det.stops import StopSignals
from gslora_det.weights import install_atomic_writer, install_safe_loader


def path(text: str) -> str:
    """The type of arguments that are paths: shells leave the ``~`` of ``--out=~/x`` alone."""
    return os.path.expanduser(text)


def add_common_flags(parser: argparse.ArgumentParser) -> None:
    """Adds the flags that MMDet's train.py and test.py have in common."""
    parser.add_argument('--work-dir', type=path, help='the folder to save logs and results in')
    add_cfg_options(parser)
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'],
                        default='none', help='job launcher')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)


def add_cfg_options(parser: argparse.ArgumentParser) -> None:
    """Adds MMDet's ``--cfg-options``."""
    parser.add_argument(
        '--cfg-options', nargs='+', action=CfgOptions,
        help='override some settings in the config, as xxx=yyy; lists as a="[1,2]"; what '
        'stands in quotes is text: a="[[\'7\', \'traffic light\']]"')


def load_config(args: argparse.Namespace) -> Config:
    """Reads the config of a command line, with its overrides and ``work_dir``.

    Raises:
        ValueError: The file does not exist or is no config, or an override does not fit.
    """
    args.config = path(args.config)
    cfg = read_config(args.config, args.cfg_options)
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
    logging.raiseExceptions = False  # no traceback of a log file on a disk that is full
    sys.excepthook = _workers_hang_up_quietly(os.getpid())
    try:
        with StopSignals(f'stopped{how_to_continue}'):
            main()
    except (ValueError, OSError) as error:
        if os.environ.get('GSLORA_DEBUG'):
            raise
        rank = '' if is_main_process() else f'rank {get_rank()}: '
        print(f'{rank}error: {error}', file=sys.stderr)
        sys.exit(2)
