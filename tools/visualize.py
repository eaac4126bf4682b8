"""Draws validation images before and after an erasure, beside the ground truth."""

import stops  # isort: skip  # noqa: F401  (a stop from here on is one line)
import argparse
from pathlib import Path

import gslora_det  # noqa: F401  (registers everything)
from gslora_det.cli import add_common_flags, load_config, path, prepare_process, run_tool
from gslora_det.engine.visualize import visualize


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config of the detector')
    parser.add_argument('original', help='weights of the original detector')
    parser.add_argument('unlearned', help='merged.pth of a task')
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
    add_common_flags(parser)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    cfg = load_config(args)
    prepare_process(args)
    out = Path(args.out or Path(cfg.work_dir) / 'pictures')
    result = visualize(cfg, args.original, args.unlearned, out, args.images, args.classes,
                       args.worst, args.score_thr)
    for role, counts in result['fates']['roles'].items():
        if counts:
            print(f'{role}: ' + ', '.join(f'{n} {fate}' for fate, n in counts.items()))
    print(f'{len(result["pictures"])} pictures: {out}')


if __name__ == '__main__':
    run_tool(main)
