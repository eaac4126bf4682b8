"""Runs every method in every setting and puts the results into one table and one plot."""

import argparse
import sys

from gslora_det_cli.arguments import add_cfg_options, check_config, path

WHEN_STOPPED = ': the same command continues'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('config', type=path, help='config of the comparison')
    parser.add_argument('--methods', nargs='+', help='only these')
    parser.add_argument('--settings', nargs='+', help='only these')
    parser.add_argument('--seeds', nargs='+', type=int, help='only these')
    parser.add_argument('--tune', action='store_true',
                        help="run the methods' grids instead of the table")
    parser.add_argument('--keep-weights', action='store_true',
                        help='keep the unlearned detectors of the cells that it runs')
    parser.add_argument('--work-dir', type=path, help='the folder to save runs and results in')
    add_cfg_options(parser)


def check(args: argparse.Namespace) -> None:
    check_config(args.config)
    if args.tune and (args.settings or args.seeds):
        raise ValueError('--tune takes no --settings and no --seeds: the config has its own')


def run(args: argparse.Namespace) -> None:
    from gslora_det.comparison import PARTS, Comparison, run_cells, write_results, write_tuning
    from gslora_det.config_file import load_config

    for option in args.cfg_options or ():
        if option.split('.')[0] not in PARTS:
            raise ValueError(f'--cfg-options {option}: a comparison has {", ".join(PARTS)}; set '
                             f'settings.NAME.{option} for the cells of a setting')
    cfg = load_config(args.config, args.cfg_options, args.work_dir)
    comparison = Comparison(cfg, cfg.work_dir)
    cells = (comparison.tuning_cells(args.methods) if args.tune else
             comparison.cells(args.methods, args.settings, args.seeds))
    failed = run_cells(comparison, cells, args.keep_weights)
    print((write_tuning if args.tune else write_results)(comparison))
    sys.exit(1 if failed else 0)
