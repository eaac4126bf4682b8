"""Draws validation images before and after an erasure, beside the ground truth."""

import argparse
from pathlib import Path

from gslora_det_cli.arguments import add_cfg_options, check_checkpoint, check_config, path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('config', type=path, help='config of the detector')
    parser.add_argument('original', type=path, help='weights of the original detector')
    parser.add_argument('unlearned', type=path, help='merged.pth of a task')
    which = parser.add_mutually_exclusive_group()
    which.add_argument('--images', nargs='+', help='ids or file names of validation images')
    which.add_argument('--classes', nargs='+',
                       help='the images that show one of these classes')
    which.add_argument('--worst', type=int, default=20, metavar='N',
                       help='the N images with most boxes that are renamed, still found, '
                       'lost, or ghosts (default: 20)')
    parser.add_argument('--score-thr', type=float, default=0.3,
                        help='only detections with a score above it count (default: 0.3)')
    parser.add_argument('--out', type=path,
                        help='folder of the pictures (default: WORK_DIR/pictures)')
    parser.add_argument('--work-dir', type=path, help='the folder that WORK_DIR stands for')
    add_cfg_options(parser)


def check(args: argparse.Namespace) -> None:
    check_config(args.config)
    for weights in (args.original, args.unlearned):
        check_checkpoint(weights)


def run(args: argparse.Namespace) -> None:
    from gslora_det.config_file import load_config
    from gslora_det.engine.visualize import visualize

    cfg = load_config(args.config, args.cfg_options, args.work_dir)
    out = Path(args.out or Path(cfg.work_dir) / 'pictures')
    result = visualize(cfg, args.original, args.unlearned, out, args.images, args.classes,
                       args.worst, args.score_thr)
    for role, counts in result['fates']['roles'].items():
        if counts:
            print(f'{role}: ' + ', '.join(f'{n} {fate}' for fate, n in counts.items()))
    print(f'{len(result["pictures"])} pictures: {out}')
