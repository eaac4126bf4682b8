"""One HTML file about sequences, with what their folders and detectors show."""

import argparse
from pathlib import Path
from typing import List, Set, Tuple

from gslora_det.checks.verification import originals, recorded_files
from gslora_det.config_file import load_config
from gslora_det.engine.attack_record import check_attacks, read_attacks
from gslora_det.engine.predict import predict
from gslora_det.engine.record import check_file, read_record, weights_before
from gslora_det.engine.task_config import CONFIG
from gslora_det.files import check_writable, sha256, write_file
from gslora_det.options import COUNT, SCORE, check_flags
from gslora_det.process import prepare_process
from gslora_det.report import Run, make_gallery, render_report
from gslora_det.weights import fetch

_HINT = 'run from the folder that the config expects, or add --no-gallery'


def _record(work_dir: Path) -> dict:
    record = read_record(work_dir)
    if not record['tasks']:
        raise ValueError(f'{work_dir} has no finished task to report: continue it with '
                         'tools/train.py and --resume')
    return record


def _attacks(work_dir: Path, record: dict) -> List[dict]:
    attacks = read_attacks(work_dir)
    if attacks is None:
        return []
    check_attacks(work_dir, attacks, record)
    return attacks['attacks']


def _check_files(args: argparse.Namespace, work_dir: Path, record: dict) -> Tuple[str, Set[str]]:
    """Where the original model is, and the sha256 of all recorded files that are there."""
    files, other = recorded_files(work_dir, record), (args.cfg_options or {}).get('load_from')
    if other is not None:
        files.update(_elsewhere(str(other), work_dir, record, not args.no_gallery))
    elif not args.no_gallery:
        fetch(weights_before(record)['file'])  # if it is a URL
    found = {check_file(folder, entry) for folder, entry in files.values()
             if entry['sha256'] and (folder / entry['file']).is_file()}
    original = files['original weights'][1]['file']
    if not args.no_gallery:
        check_file(work_dir, record['tasks'][-1]['merged'])
        if not Path(original).is_file():
            raise ValueError(f'checkpoint {original} does not exist; {_HINT}')
    return original, found


def _elsewhere(place: str, work_dir: Path, record: dict, gallery: bool) -> dict:
    """The entries of the weights that ``load_from`` names another place of."""
    file = fetch(place)
    if not file.is_file():
        raise ValueError(f'checkpoint {place} does not exist' + f'; {_HINT}' * gallery)
    entry = dict(file=str(file), sha256=sha256(file))
    names = [name for name, (_, recorded) in originals(record).items()
             if recorded['sha256'] == entry['sha256']]
    if not names:
        raise ValueError(f'load_from={place} is not the original of {work_dir}: its sha256 '
                         'is not the recorded one')
    return dict.fromkeys(names, (Path(), entry))


def _config(args: argparse.Namespace, work_dir: Path):
    return load_config(work_dir / CONFIG, args.cfg_options)


def _gallery(args: argparse.Namespace, cfg, work_dir: Path, record: dict, original: str):
    unlearned = str(work_dir / record['tasks'][-1]['merged']['file'])
    try:
        before, after = predict(cfg, original), predict(cfg, unlearned)
    except ValueError as error:
        raise ValueError(f'{str(error).rstrip(".")}; {_HINT}') from error
    return make_gallery(record, before, after, args.pictures, args.score_thr)


def _names(work_dirs: List[Path], records: List[dict]) -> List[str]:
    names = [record['name'] for record in records]
    return names if len({*names}) == len(names) else [str(folder) for folder in work_dirs]


def main(args) -> None:
    args.work_dirs = [Path(folder) for folder in args.work_dirs]
    check_flags(score_thr=(args.score_thr, SCORE), pictures=(args.pictures, COUNT))
    check_writable(args.out)
    records = [_record(work_dir) for work_dir in args.work_dirs]
    attacks = [_attacks(*each) for each in zip(args.work_dirs, records)]
    files = [_check_files(args, *each) for each in zip(args.work_dirs, records)]
    prepare_process()
    configs = [None if args.no_gallery else _config(args, folder) for folder in args.work_dirs]
    runs = [
        Run(name, record, cfg and _gallery(args, cfg, work_dir, record, original), checked, found)
        for name, work_dir, record, cfg, (original, checked), found in zip(
            _names(args.work_dirs, records), args.work_dirs, records, configs, files, attacks)]
    Path(args.out).parent.mkdir(parents=True, exist_ok=True)
    write_file(args.out, render_report(runs))
    print(f'wrote {args.out}, {Path(args.out).stat().st_size / 1e6:.1f} MB')


