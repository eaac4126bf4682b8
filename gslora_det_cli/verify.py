"""Checks that a sequence's folder holds what its record says, measures again, and keeps it."""

import argparse
import sys
from pathlib import Path

from gslora_det_cli.arguments import check_record, path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('work_dir', type=path, help='the work dir of a sequence')
    parser.add_argument('--no-metrics', action='store_true',
                        help='only compare files; does not run the config in the folder')


def check(args: argparse.Namespace) -> None:
    check_record(args.work_dir)


def run(args: argparse.Namespace) -> None:
    from gslora_det.checks.verification import verify

    sys.exit(0 if verify(Path(args.work_dir), not args.no_metrics) else 1)
