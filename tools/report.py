"""Writes one HTML file that shows what sequences erased, what they cost, what comes back."""

import argparse
from pathlib import Path
from typing import List

import gslora_det  # noqa: F401  (registers everything)
from gslora_det.cli import add_cfg_options, load_config, prepare_process, run_tool
from gslora_det.engine.predict import predict
from gslora_det.engine.record import check_file, read_record
from gslora_det.engine.sequence import CONFIG
from gslora_det.files import atomic_write
from gslora_det.options import COUNT, SCORE, check_flags
from gslora_det.report import Run, make_gallery, render_report


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('work_dirs', nargs='+', metavar='WORK_DIR', type=Path,
                        help='folder of a sequence; several are compared')
    parser.add_argument('--out', default='report.html', help='the file to write')
    parser.add_argument('--no-gallery', action='store_true',
                        help='leave out what needs the detectors and the images')
    parser.add_argument('--pictures', type=int, default=36,
                        help='at most so many images of each sequence')
    parser.add_argument('--score-thr', type=float, default=0.3,
                        help='only detections with a score above it count')
    add_cfg_options(parser)
    parser.set_defaults(work_dir=None, launcher='none', local_rank=0)
    return parser.parse_args()


def _record(work_dir: Path) -> dict:
    record = read_record(work_dir)
    if not record['tasks']:
        raise ValueError(f'{work_dir} has no finished task to report: continue it with '
                         'tools/train.py and --resume')
    return record


def _gallery(args: argparse.Namespace, work_dir: Path, record: dict):
    args.config = str(work_dir / CONFIG)
    cfg, merged = load_config(args), record['tasks'][-1]['merged']
    check_file(work_dir, merged)
    try:
        before, after = predict(cfg, cfg.load_from), predict(cfg, str(work_dir / merged['file']))
    except ValueError as error:
        raise ValueError(f'{str(error).rstrip(".")}; run from the folder that the config '
                         'expects, or add --no-gallery') from error
    return make_gallery(record, before, after, args.pictures, args.score_thr)


def _names(work_dirs: List[Path], records: List[dict]) -> List[str]:
    names = [record['name'] for record in records]
    return names if len({*names}) == len(names) else [str(folder) for folder in work_dirs]


def main() -> None:
    args = parse_args()
    check_flags(score_thr=(args.score_thr, SCORE), pictures=(args.pictures, COUNT))
    records = [_record(work_dir) for work_dir in args.work_dirs]
    prepare_process(args)
    runs = [
        Run(name, record, None if args.no_gallery else _gallery(args, work_dir, record))
        for name, work_dir, record in zip(_names(args.work_dirs, records), args.work_dirs,
                                          records)]
    Path(args.out).parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(args.out) as draft:
        draft.write_text(render_report(runs), 'utf-8')
    print(f'wrote {args.out}, {Path(args.out).stat().st_size / 1e6:.1f} MB')


if __name__ == '__main__':
    run_tool(main)
