"""Runs every method in every setting and puts the results into one table and one plot."""

import stops  # isort: skip  # noqa: F401  (a stop from here on is one line)
import argparse
import sys
from pathlib import Path

import gslora_det  # noqa: F401  (registers everything)
from gslora_det.cli import add_cfg_options, load_config, path, prepare_process, run_tool
from gslora_det.comparison import PARTS, Comparison, run_cells, write_results, write_tuning


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config of the comparison')
    parser.add_argument('--methods', nargs='+', help='only these')
    parser.add_argument('--settings', nargs='+', help='only these')
    parser.add_argument('--seeds', nargs='+', type=int, help='only these')
    parser.add_argument('--tune', action='store_true',
                        help="run the methods' grids instead of the table")
    parser.add_argument('--keep-weights', action='store_true',
                        help='keep the unlearned detectors of the cells that it runs')
    parser.add_argument('--work-dir', type=path, help='the folder to save runs and results in')
    add_cfg_options(parser)
    parser.set_defaults(launcher='none', local_rank=0)
    args = parser.parse_args()
    if args.tune and (args.settings or args.seeds):
        parser.error('--tune takes no --settings and no --seeds: the config has its own')
    for option in args.cfg_options or ():
        if option.split('.')[0] not in PARTS:
            parser.error(f'--cfg-options {option}: a comparison has {", ".join(PARTS)}; set '
                         f'settings.NAME.{option} for the cells of a setting')
    return args


def main() -> None:
    args = parse_args()
    cfg = load_config(args)
    comparison = Comparison(cfg, cfg.work_dir)
    prepare_process(args)
    cells = (comparison.tuning_cells(args.methods) if args.tune else
             comparison.cells(args.methods, args.settings, args.seeds))
    train = Path(__file__).with_name('train.py')
    failed = run_cells(comparison, cells, train, args.keep_weights)
    print((write_tuning if args.tune else write_results)(comparison))
    sys.exit(1 if failed else 0)


if __name__ == '__main__':
    run_tool(main, ': the same command continues')
