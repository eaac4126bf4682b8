"""Writes one HTML file that shows what sequences erased, what they cost, what returns."""

import argparse

from gslora_det_cli.arguments import add_cfg_options, check_record, path


def add_arguments(parser: argparse.ArgumentParser) -> None:
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


def check(args: argparse.Namespace) -> None:
    for work_dir in args.work_dirs:
        check_record(work_dir)


def run(args: argparse.Namespace) -> None:
    from gslora_det.api import report

    report(**vars(args))
