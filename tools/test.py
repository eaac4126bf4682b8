"""Measures a detector, original or unlearned, on a config's test data."""

import stops  # isort: skip  # noqa: F401  (a stop from here on is one line)
import argparse

import gslora_det  # noqa: F401  (registers everything)
from gslora_det.cli import add_common_flags, load_config, path, prepare_process, run_tool
from gslora_det.engine.plain import evaluate, settle_test_data
from gslora_det.files import check_writable


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='test config file path')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--task', type=int,
                        help="the task whose split is measured (default: the checkpoint's)")
    parser.add_argument('--out', type=path, help='dump predictions to a pickle file')
    parser.add_argument('--show', action='store_true', help='show prediction results')
    parser.add_argument('--show-dir', type=path, help='folder for painted images')
    parser.add_argument('--wait-time', type=float, default=2,
                        help='the interval of show (s)')
    parser.add_argument('--tta', action='store_true', help="use the config's tta_model")
    add_common_flags(parser)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    cfg = load_config(args)
    if args.out and not args.out.endswith(('.pkl', '.pickle')):
        raise ValueError(f'--out {args.out}: the file name must end in .pkl')
    for name in filter(None, (args.out, args.show_dir and f'{args.show_dir}/picture.png')):
        check_writable(name)
    if args.tta:
        if 'tta_model' not in cfg or 'tta_pipeline' not in cfg:
            raise ValueError(f'--tta needs tta_model and tta_pipeline in {args.config}')
        settle_test_data(cfg)
        cfg.model = dict(**cfg.tta_model, module=cfg.model)
        cfg.test_dataloader.dataset.pipeline = cfg.tta_pipeline
    if args.show or args.show_dir:
        cfg.default_hooks = cfg.get('default_hooks') or {}
        cfg.default_hooks.visualization = dict(
            type='DetVisualizationHook', draw=True, show=args.show,
            wait_time=args.wait_time, test_out_dir=args.show_dir)
    prepare_process(args)
    evaluate(cfg, args.checkpoint, args.task, args.out)


if __name__ == '__main__':
    run_tool(main)
