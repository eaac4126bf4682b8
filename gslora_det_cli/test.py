"""Measures a detector, original or unlearned, on a config's test data."""

import argparse

from gslora_det_cli.arguments import add_common_flags, check_checkpoint, check_config, path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('config', type=path, help='test config file path')
    parser.add_argument('checkpoint', type=path, help='checkpoint file')
    parser.add_argument('--task', type=int,
                        help="the task whose split is measured (default: the checkpoint's)")
    parser.add_argument('--out', type=path, help='dump predictions to a pickle file')
    parser.add_argument('--show', action='store_true', help='show prediction results')
    parser.add_argument('--show-dir', type=path, help='folder for painted images')
    parser.add_argument('--wait-time', type=float, default=2,
                        help='the interval of show (s)')
    parser.add_argument('--tta', action='store_true', help="use the config's tta_model")
    add_common_flags(parser)


def check(args: argparse.Namespace) -> None:
    check_config(args.config)
    check_checkpoint(args.checkpoint)
    if args.out and not args.out.endswith(('.pkl', '.pickle')):
        raise ValueError(f'--out {args.out}: the file name must end in .pkl')


def run(args: argparse.Namespace) -> None:
    from gslora_det.checks.annotations import plain_dataset
    from gslora_det.config_file import load_config
    from gslora_det.engine.plain import evaluate, settle_test_data
    from gslora_det.files import check_writable

    cfg = load_config(args.config, args.cfg_options, args.work_dir, args.launcher)
    for name in filter(None, (args.out, args.show_dir and f'{args.show_dir}/picture.png')):
        check_writable(name)
    if args.tta:
        if 'tta_model' not in cfg or 'tta_pipeline' not in cfg:
            raise ValueError(f'--tta needs tta_model and tta_pipeline in {args.config}')
        settle_test_data(cfg)
        cfg.model = dict(**cfg.tta_model, module=cfg.model)
        plain_dataset(cfg.test_dataloader, 'test_dataloader').pipeline = cfg.tta_pipeline
    if args.show or args.show_dir:
        cfg.default_hooks = cfg.get('default_hooks') or {}
        cfg.default_hooks.visualization = dict(
            type='DetVisualizationHook', draw=True, show=args.show,
            wait_time=args.wait_time, test_out_dir=args.show_dir)
    evaluate(cfg, args.checkpoint, args.task, args.out)
