"""What the process of a command does around its work."""

import logging
import os
import sys
from collections.abc import Callable

import torch
from mmdet.utils import register_all_modules
from mmengine.dist import get_rank, init_dist, is_main_process

from gslora_det.quiet import silence_warnings
from gslora_det.stops import StopSignals
from gslora_det.weights import install_atomic_writer, install_safe_loader


def prepare_process(launcher: str = 'none', local_rank: int = 0) -> None:
    """Safe loading, registration, and the process group where there is a launcher."""
    os.environ.setdefault('LOCAL_RANK', str(local_rank))
    silence_warnings()
    install_safe_loader()
    install_atomic_writer()
    register_all_modules()
    if launcher == 'none':
        return
    if torch.cuda.is_available():
        init_dist(launcher, backend='nccl')
    elif launcher == 'pytorch':
        torch.distributed.init_process_group('gloo')  # MMEngine's function needs a GPU
    else:
        raise ValueError(f'--launcher {launcher} needs GPUs: on CPUs use '
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
