"""Measures what training, evaluation and inference cost, as ratios."""

import argparse

from gslora_det_cli.arguments import path

_PARTS = 'step,splits,inference,import,sequence,r50'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--parts', default=_PARTS, help=f'some of {_PARTS}')
    parser.add_argument('--size', nargs=2, type=int, default=(800, 1333), metavar=('H', 'W'),
                        help='of the images of r50')
    parser.add_argument('--repeats', type=int, default=5, help='runs of which the median counts')
    parser.add_argument('--tasks', type=int, default=7, help='requests of sequence')
    parser.add_argument('--plot', type=path,
                        help='also measure how costs grow, and draw it to this file')


def check(args: argparse.Namespace) -> None:
    args.parts = [part for part in args.parts.split(',') if part]
    unknown = [part for part in args.parts if part not in _PARTS.split(',')]
    if unknown:
        raise ValueError(f'--parts {unknown[0]}: there are {_PARTS}')
    for name, value in (('--size', min(args.size)), ('--repeats', args.repeats),
                        ('--tasks', args.tasks)):
        if value < 1:
            raise ValueError(f'{name} is {value}; it takes 1 or more')


def run(args: argparse.Namespace) -> None:
    from gslora_det.benchmark import benchmark

    benchmark(args.parts, tuple(args.size), args.repeats, args.tasks, args.plot)
