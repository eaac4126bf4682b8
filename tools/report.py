"""Writes one HTML file that shows what sequences erased, what they cost, what returns."""

import stops  # isort: skip  # noqa: F401  (a stop from here on is one line)
import argparse

import gslora_det  # noqa: F401  (registers everything)
from gslora_det.cli import add_cfg_options, path, prepare_process, run_tool
from gslora_det.report.build import write_report


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('work_dirs', nargs='+', metavar='WORK_DIR', type=path,
                        help='folder of a sequence; several are compared')
    parser.add_argument('--out', type=path,
                        help='the file to write (default: WORK_DIR/report.html)')
    parser.add_argument('--no-gallery', dest='gallery', action='store_false',
                        help='leave out what needs the detectors and the images')
    parser.add_argument('--pictures', type=int, default=36,
                        help='at most so many images of each sequence')
    parser.add_argument('--score-thr', type=float, default=0.3,
                        help='only detections with a score above it count')
    parser.add_argument('--requester', help='who asked for the erasure, where the run did not '
                        'record it')
    parser.add_argument('--request-id', help='the number of the request')
    parser.add_argument('--operator', help='who carried it out')
    add_cfg_options(parser)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    prepare_process(argparse.Namespace(launcher='none', local_rank=0))
    out = write_report(**vars(args))
    print(f'wrote {out}, {out.stat().st_size / 1e6:.1f} MB')


if __name__ == '__main__':
    run_tool(main)
