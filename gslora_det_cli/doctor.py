"""Says whether everything is in place, and what to do where it is not."""

import argparse
import sys

from gslora_det_cli.arguments import (
    add_common_flags,
    add_request_flags,
    check_checkpoint,
    check_config,
    path,
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('config', nargs='?', type=path, help='also check what this config needs')
    add_request_flags(parser)
    add_common_flags(parser)


def check(args: argparse.Namespace) -> None:
    if args.config:
        check_config(args.config)
    elif args.checkpoint or args.classes:
        raise ValueError('--checkpoint and --classes need the config of a detector before them')
    if args.checkpoint:
        check_checkpoint(args.checkpoint)


def run(args: argparse.Namespace) -> None:
    from gslora_det.checks.doctor import checks, diagnose
    from gslora_det.config_file import override, read_config
    from gslora_det.recipe import set_request

    cfg = None
    if args.config:
        cfg = read_config(args.config)
        if args.checkpoint or args.classes:
            set_request(cfg, args.checkpoint, args.classes)
        override(cfg, args.cfg_options, args.work_dir, args.launcher)
    sys.exit(0 if diagnose(checks(cfg)) else 1)
