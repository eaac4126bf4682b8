"""Trains what a config says: a sequence of erasures, or a plain MMDet config."""

import argparse

from gslora_det_cli.arguments import add_common_flags, check_config, path

WHEN_STOPPED = ': the same command with --resume continues'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('config', type=path, help='train config file path')
    parser.add_argument('--amp', action='store_true',
                        help='enable automatic mixed precision')
    parser.add_argument('--auto-scale-lr', action='store_true',
                        help='scale the learning rate to the total batch size')
    parser.add_argument(
        '--resume', nargs='?', const='auto', type=path,
        help='continue: a sequence from its work dir; a plain run from the given '
        'checkpoint, or from the latest one')
    add_common_flags(parser)


def check(args: argparse.Namespace) -> None:
    check_config(args.config)


def run(args: argparse.Namespace) -> None:
    from gslora_det.config_file import load_config
    from gslora_det.engine.plain import train_plain

    cfg = load_config(args.config, args.cfg_options, args.work_dir, args.launcher)
    set_flags(cfg, args)
    if 'sequence' in cfg:
        run_sequence(cfg, args.resume)
    else:
        train_plain(cfg, args.resume)


def set_flags(cfg, args: argparse.Namespace) -> None:
    """Puts ``--amp`` and ``--auto-scale-lr`` into a config.

    Raises:
        ValueError: It has not what they change.
    """
    import torch

    if args.amp and not isinstance(cfg.get('optim_wrapper'), dict):
        raise ValueError(f'--amp needs optim_wrapper=dict(…) in {args.config}')
    if args.amp and torch.cuda.is_available():
        cfg.optim_wrapper.type = 'AmpOptimWrapper'
        cfg.optim_wrapper.setdefault('loss_scale', 'dynamic')
    elif args.amp:
        cfg.optim_wrapper.type = 'Bf16OptimWrapper'
    if args.auto_scale_lr:
        scaled = cfg.get('auto_scale_lr')
        if not isinstance(scaled, dict) or 'base_batch_size' not in scaled:
            raise ValueError('--auto-scale-lr needs auto_scale_lr=dict(base_batch_size=…) '
                             f'in {args.config}')
        scaled.enable = True


def run_sequence(cfg, resume) -> None:
    """Runs a config's sequence, or continues it where ``resume`` says so."""
    from gslora_det.engine.record import check_resumable
    from gslora_det.engine.sequence import UnlearningSequence

    if resume not in (None, 'auto'):
        check_resumable(resume)
        cfg.work_dir = resume
    UnlearningSequence(cfg, resume=resume is not None).run()
