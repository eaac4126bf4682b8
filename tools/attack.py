"""Tries to bring erased classes back, beside controls: gone, or only hidden?"""

import stops  # isort: skip  # noqa: F401  (a stop from here on is one line)
import argparse
from pathlib import Path

import gslora_det  # noqa: F401  (registers everything)
from gslora_det.attacks.run import AttackRun
from gslora_det.attacks.tables import print_attacks
from gslora_det.cli import add_cfg_options, load_config, path, prepare_process, run_tool
from gslora_det.engine.attack_record import FILE_NAME
from gslora_det.engine.task_config import CONFIG
from gslora_det.options import SEED, check_flags


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('work_dir', type=path, help='the work dir of a sequence')
    parser.add_argument('--attacks', nargs='+', metavar='NAME', help='by default all')
    parser.add_argument('--tasks', nargs='+', type=int, metavar='N',
                        help='the tasks after which to attack (default: the first and the last)')
    parser.add_argument('--oracles', nargs='+', type=path, metavar='FILE',
                        help='for each of --tasks, weights of a detector that was trained '
                        "without what was erased up to then (default: the config's)")
    parser.add_argument('--seed', type=int, default=0, help='of all that is drawn')
    add_cfg_options(parser)
    parser.set_defaults(launcher='none', local_rank=0)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    check_flags(seed=(args.seed, SEED))
    work_dir = Path(args.work_dir)
    args.config, args.work_dir = str(work_dir / CONFIG), None
    cfg = load_config(args)
    prepare_process(args)
    oracles = args.oracles and dict(zip(args.tasks or (1, ), args.oracles))
    record = AttackRun(work_dir, cfg, args.attacks, args.tasks, oracles, args.seed).run()
    print_attacks(record)
    print(f'Attacks: {work_dir / FILE_NAME}')


if __name__ == '__main__':
    run_tool(main, ': the same command continues')
