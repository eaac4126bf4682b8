"""Arguments that several commands have."""

import argparse
import os
from pathlib import Path

from gslora_det_cli.cfg_options import CfgOptions

SHIPPED = 'gslora_det::'  # begins the name of a config that the package brings
_BROUGHT = Path(__file__).parents[1] / 'gslora_det/.mim'  # where MMEngine looks for them


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


def add_request_flags(parser: argparse.ArgumentParser) -> None:
    """Adds which detector shall forget what."""
    parser.add_argument('--checkpoint', type=path,
                        help="the detector's weights, a file or URL (default: the config's "
                        'load_from)')
    parser.add_argument('--classes', nargs='+', metavar='NAME', action='append',
                        help='the classes to erase; given again, a further request')


def check_config(config: str) -> None:
    """Refuses a config that does not exist.

    Raises:
        ValueError: There is no such file.
    """
    file = _BROUGHT / 'configs' / config[len(SHIPPED):] if config.startswith(SHIPPED) else config
    if not Path(file).is_file():
        raise ValueError(f'config {config} does not exist'
                         + f'; those of the package are in {_BROUGHT / "configs"}'
                         * config.startswith(SHIPPED))


def check_checkpoint(file: str) -> None:
    """Refuses weights that do not exist; a URL is looked at when it is needed.

    Raises:
        ValueError: There is no such file, and the package brings none of that name.
    """
    if not (file.startswith(('http://', 'https://')) or Path(file).is_file()
            or (_BROUGHT / file).is_file()):
        raise ValueError(f'checkpoint {file} does not exist')


def check_record(work_dir: str) -> None:
    """Refuses a folder that is no sequence's work dir.

    Raises:
        ValueError: It has no record.
    """
    record = Path(work_dir) / 'sequence.json'
    if not record.is_file():
        raise ValueError(f'{record} is missing')
