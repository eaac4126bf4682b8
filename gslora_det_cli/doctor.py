"""Says whether everything is in place, and what to do where it is not."""

import argparse
import sys

from gslora_det_cli.arguments import add_common_flags, check_config, path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('config', nargs='?', type=path, help='also check what this config needs')
    add_common_flags(parser)


def check(args: argparse.Namespace) -> None:
    if args.config:
        check_config(args.config)


def run(args: argparse.Namespace) -> None:
    from gslora_det.checks.doctor import checks, diagnose
    from gslora_det.config_file import load_config

    cfg = args.config and load_config(args.config, args.cfg_options, args.work_dir, args.launcher)
    sys.exit(0 if diagnose(checks(cfg or None)) else 1)
