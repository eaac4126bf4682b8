"""Writes a plain MMDet checkpoint, smaller or with the adapters of tasks folded in, or ONNX."""

import stops  # isort: skip  # noqa: F401  (a stop from here on is one line)
import argparse

import gslora_det  # noqa: F401  (registers everything)
from gslora_det.cli import add_common_flags, load_config, path, prepare_process, run_tool
from gslora_det.onnx import TOLERANCE, export_onnx
from gslora_det.weights.export import export


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config of the detector')
    parser.add_argument('weights', help='weights of the plain detector')
    parser.add_argument('out', nargs='?', type=path, help='the .pth file to write')
    parser.add_argument('--onnx', type=path, metavar='FILE.onnx',
                        help='write ONNX, beside OUT or instead of it')
    parser.add_argument('--shape', nargs=2, type=int, metavar=('H', 'W'),
                        help='of the images that the ONNX file takes; by default that of the '
                        'first validation image')
    parser.add_argument('--adapters', nargs='+', default=[], type=path,
                        help='adapter.safetensors files, in the order of their tasks')
    parser.add_argument('--half', action='store_true', help='half-precision weights in OUT')
    add_common_flags(parser)
    args = parser.parse_args()
    if not args.out and not args.onnx:
        parser.error('name the file to write: OUT, --onnx or both')
    if args.half and not args.out:
        parser.error('--half is of OUT: an ONNX file is in single precision')
    return args


def main() -> None:
    args = parse_args()
    cfg = load_config(args)
    prepare_process(args)
    if args.onnx:
        found = export_onnx(cfg, args.weights, args.onnx, args.adapters, args.shape)
        print(f'wrote {args.onnx}: in onnxruntime it differs from MMDetection by {found:.2g} at '
              f'most, in pixels of boxes and in scores ({TOLERANCE} is allowed)')
    if args.out:
        export(cfg, args.weights, args.out, args.adapters, args.half)
        print(f'wrote {args.out}')


if __name__ == '__main__':
    run_tool(main)
