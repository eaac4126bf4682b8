"""Checks that a sequence's folder holds what its record says, measures again, and keeps it."""

import stops  # isort: skip  # noqa: F401  (a stop from here on is one line)
import argparse
import sys
from pathlib import Path

import gslora_det  # noqa: F401  (registers everything)
from gslora_det.checks.verification import verify
from gslora_det.cli import path, prepare_process, run_tool


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('work_dir', type=path, help='the work dir of a sequence')
    parser.add_argument('--no-metrics', action='store_true',
                        help='only compare files; does not run the config in the folder')
    parser.set_defaults(launcher='none', local_rank=0)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    prepare_process(args)
    sys.exit(0 if verify(Path(args.work_dir), not args.no_metrics) else 1)


if __name__ == '__main__':
    run_tool(main)
