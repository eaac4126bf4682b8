"""Erases classes from a trained detector, one request after another."""

import argparse

from gslora_det_cli import train
from gslora_det_cli.arguments import add_request_flags, check_checkpoint

WHEN_STOPPED = train.WHEN_STOPPED


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_request_flags(parser)
    parser.add_argument('--requester', help='who asks for the erasure; recorded, for the report')
    parser.add_argument('--request-id', help='under which number')
    parser.add_argument('--operator', help='who carries it out')
    train.add_arguments(parser)


def check(args: argparse.Namespace) -> None:
    train.check(args)
    if args.checkpoint:
        check_checkpoint(args.checkpoint)


def run(args: argparse.Namespace) -> None:
    from gslora_det.config_file import override, read_config
    from gslora_det.recipe import set_request

    cfg = read_config(args.config)
    set_request(cfg, args.checkpoint, args.classes)
    for key in ('requester', 'request_id', 'operator'):
        if getattr(args, key):
            cfg.sequence[key] = getattr(args, key)
    override(cfg, args.cfg_options, args.work_dir, args.launcher)
    train.set_flags(cfg, args)
    train.run_sequence(cfg, args.resume)
