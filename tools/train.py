"""Trains what a config says: a sequence of erasures, or a plain MMDet config."""

import stops  # isort: skip  # noqa: F401  (a stop from here on is one line)
import argparse

import torch

import gslora_det  # noqa: F401  (registers everything)
from gslora_det.cli import add_common_flags, load_config, path, prepare_process, run_tool
from gslora_det.engine.plain import train_plain
from gslora_det.engine.record import check_resumable
from gslora_det.engine.sequence import UnlearningSequence


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='train config file path')
    parser.add_argument('--amp', action='store_true',
                        help='enable automatic mixed precision')
    parser.add_argument('--auto-scale-lr', action='store_true',
                        help='scale the learning rate to the total batch size')
    parser.add_argument(
        '--resume', nargs='?', const='auto', type=path,
        help='continue: a sequence from its work dir; a plain run from the given '
        'checkpoint, or from the latest one')
    add_common_flags(parser)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    cfg = load_config(args)
    if args.amp:
        if torch.cuda.is_available():
            cfg.optim_wrapper.type = 'AmpOptimWrapper'
            cfg.optim_wrapper.setdefault('loss_scale', 'dynamic')
        else:
            cfg.optim_wrapper.type = 'Bf16OptimWrapper'
    if args.auto_scale_lr:
        if 'base_batch_size' not in cfg.get('auto_scale_lr', {}):
            raise ValueError('--auto-scale-lr needs auto_scale_lr=dict(base_batch_size=…) '
                             f'in {args.config}')
        cfg.auto_scale_lr.enable = True
    prepare_process(args)
    if 'sequence' not in cfg:
        train_plain(cfg, args.resume)
        return
    if args.resume not in (None, 'auto'):
        check_resumable(args.resume)
        cfg.work_dir = args.resume
    UnlearningSequence(cfg, resume=args.resume is not None).run()


if __name__ == '__main__':
    run_tool(main, ': the same command with --resume continues')
