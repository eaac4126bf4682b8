"""Tries to bring erased classes back, beside controls: gone, or only hidden?"""

import argparse

from gslora_det_cli.arguments import add_cfg_options, check_record, path

WHEN_STOPPED = ': the same command continues'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('work_dir', type=path, help='the work dir of a sequence')
    parser.add_argument('--attacks', nargs='+', metavar='NAME', help='by default all')
    parser.add_argument('--tasks', nargs='+', type=int, metavar='N',
                        help='the tasks after which to attack (default: the first and the last)')
    parser.add_argument('--oracles', nargs='+', type=path, metavar='FILE',
                        help='for each of --tasks (without them one, for task 1), weights of a '
                        'detector that was trained without what was erased up to then '
                        "(default: the config's)")
    parser.add_argument('--no-controls', dest='controls', action='store_false',
                        help='attack the unlearned detector alone: what is found proves nothing '
                        'without controls elsewhere')
    parser.add_argument('--seed', type=int, default=0, help='of all that is drawn')
    add_cfg_options(parser)


def check(args: argparse.Namespace) -> None:
    check_record(args.work_dir)


def run(args: argparse.Namespace) -> None:
    from gslora_det.api import attack

    attack(args.work_dir, args.attacks, args.tasks, args.oracles, args.seed, args.cfg_options,
           args.controls)
