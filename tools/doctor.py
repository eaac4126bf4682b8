"""Says whether everything is in place, and what to do where it is not."""

import stops  # isort: skip  # noqa: F401  (a stop from here on is one line)
import argparse
import sys

import gslora_det  # noqa: F401  (registers everything)
from gslora_det.checks.doctor import checks, diagnose
from gslora_det.cli import add_common_flags, load_config, prepare_process, run_tool


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', nargs='?', help='also check what this config needs')
    add_common_flags(parser)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    cfg = load_config(args) if args.config else None
    prepare_process(args)
    sys.exit(0 if diagnose(checks(cfg)) else 1)


if __name__ == '__main__':
    run_tool(main)
