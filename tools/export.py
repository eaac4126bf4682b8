"""Writes a plain MMDet checkpoint: smaller, or with the adapters of some tasks folded in."""

import stops  # isort: skip  # noqa: F401  (a stop from here on is one line)
import argparse

import gslora_det  # noqa: F401  (registers everything)
from gslora_det.cli import add_common_flags, load_config, path, prepare_process, run_tool
from gslora_det.weights.export import export


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config of the detector')
    parser.add_argument('weights', help='weights of the plain detector')
    parser.add_argument('out', type=path, help='the .pth file to write')
    parser.add_argument('--adapters', nargs='+', default=[], type=path,
                        help='adapter.safetensors files, in the order of their tasks')
    parser.add_argument('--half', action='store_true', help='half-precision weights')
    add_common_flags(parser)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    cfg = load_config(args)
    prepare_process(args)
    export(cfg, args.weights, args.out, args.adapters, args.half)
    print(f'wrote {args.out}')


if __name__ == '__main__':
    run_tool(main)
