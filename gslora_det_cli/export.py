"""Writes a plain MMDet checkpoint: smaller, or with the adapters of some tasks folded in."""

import argparse

from gslora_det_cli.arguments import add_common_flags, check_checkpoint, check_config, path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('config', type=path, help='config of the detector')
    parser.add_argument('weights', type=path, help='weights of the plain detector')
    parser.add_argument('out', type=path, help='the .pth file to write')
    parser.add_argument('--adapters', nargs='+', default=[], type=path,
                        help='adapter.safetensors files, in the order of their tasks')
    parser.add_argument('--half', action='store_true', help='half-precision weights')
    add_common_flags(parser)


def check(args: argparse.Namespace) -> None:
    check_config(args.config)
    check_checkpoint(args.weights)


def run(args: argparse.Namespace) -> None:
    from gslora_det.config_file import load_config
    from gslora_det.process import prepare_process
    from gslora_det.weights.export import export

    cfg = load_config(args.config, args.cfg_options, args.work_dir, args.launcher)
    prepare_process(args.launcher, args.local_rank)
    export(cfg, args.weights, args.out, args.adapters, args.half)
    print(f'wrote {args.out}')
