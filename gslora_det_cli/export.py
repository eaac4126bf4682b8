"""Writes a plain MMDet checkpoint, smaller or with the adapters of tasks folded in, or ONNX."""

import argparse

from gslora_det_cli.arguments import add_cfg_options, check_checkpoint, check_config, path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('config', type=path, help='config of the detector')
    parser.add_argument('weights', type=path, help='weights of the plain detector')
    parser.add_argument('out', nargs='?', type=path, help='the .pth file to write')
    parser.add_argument('--onnx', type=path, metavar='FILE.onnx',
                        help='write ONNX, beside OUT or instead of it')
    parser.add_argument('--shape', nargs=2, type=int, metavar=('H', 'W'),
                        help='of the images that the ONNX file takes; by default that of the '
                        'first validation image')
    parser.add_argument('--adapters', nargs='+', default=[], type=path,
                        help='adapter.safetensors files, in the order of their tasks')
    parser.add_argument('--half', action='store_true', help='half-precision weights in OUT')
    add_cfg_options(parser)


def check(args: argparse.Namespace) -> None:
    check_config(args.config)
    check_checkpoint(args.weights)
    if not args.out and not args.onnx:
        raise ValueError('name the file to write: OUT, --onnx or both')
    if args.half and not args.out:
        raise ValueError('--half is of OUT: an ONNX file is in single precision')
    if args.shape and not args.onnx:
        raise ValueError('--shape is of an ONNX file: give --onnx, too')


def run(args: argparse.Namespace) -> None:
    from gslora_det.config_file import load_config
    from gslora_det.files import check_new

    for file in filter(None, (args.out, args.onnx)):
        check_new(file)
    cfg = load_config(args.config, args.cfg_options)
    if args.onnx:
        from gslora_det.onnx import TOLERANCE, export_onnx

        found = export_onnx(cfg, args.weights, args.onnx, args.adapters, args.shape)
        print(f'wrote {args.onnx}: in onnxruntime it differs from MMDetection by {found:.2g} at '
              f'most, in pixels of boxes and in scores ({TOLERANCE} is allowed)')
    if args.out:
        from gslora_det.weights.export import export

        export(cfg, args.weights, args.out, args.adapters, args.half)
        print(f'wrote {args.out}')
