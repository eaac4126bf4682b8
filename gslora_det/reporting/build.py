"""The report of finished (or running) sequences, from their work dirs to a file."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import gslora_det
from gslora_det.checks.verification import originals, recorded_files
from gslora_det.config_file import load_config
from gslora_det.engine.attack_record import check_attacks, read_attacks
from gslora_det.engine.filing import FILING, filled_in
from gslora_det.engine.predict import predict, validation_set
from gslora_det.engine.provenance import now
from gslora_det.engine.record import read_record, run_id, weights_before
from gslora_det.engine.recorded_files import check_file, check_same_annotations
from gslora_det.engine.task_config import CONFIG
from gslora_det.engine.verification_record import read_verification
from gslora_det.files import check_writable, sha256, write_file
from gslora_det.options import COUNT, SCORE, TEXT, check_flags
from gslora_det.reporting.gallery import PICTURE_BYTES, make_gallery
from gslora_det.reporting.html import Run, render_report
from gslora_det.reporting.place import check_place
from gslora_det.weights import fetch

FILE_NAME = 'report.html'
_HINT = 'run from the folder that the config expects, or add --no-gallery'


def write_report(work_dirs: Sequence[Path | str] | Path | str, out: Path | str | None = None,
                 gallery: bool = True, pictures: int = 36, score_thr: float = 0.3,
                 cfg_options: Mapping | None = None, requester: str | None = None,
                 request_id: str | None = None, operator: str | None = None) -> Path:
    """See :func:`gslora_det.report`, which is this in a process that is prepared."""
    folders = [Path(folder) for folder in (
        [work_dirs] if isinstance(work_dirs, (str, Path)) else work_dirs)]
    given = dict(zip(FILING, (requester, request_id, operator)))
    check_flags(score_thr=(score_thr, SCORE), pictures=(pictures, COUNT),
                **{key: (text, TEXT) for key, text in given.items() if text is not None})
    if out is None and len(folders) != 1:
        raise ValueError('a report of several runs has no folder of its own: name the file with '
                         '--out')
    out = folders[0] / FILE_NAME if out is None else Path(out)
    check_writable(out)
    cfg_options = dict(cfg_options or {})
    records = [_record(folder) for folder in folders]
    filings = [filled_in(record, given, folder) for record, folder in zip(records, folders)]
    check_place(out, [*map(run_id, records)])
    attacks = [_attacks(*each) for each in zip(folders, records)]
    verified = [read_verification(*each) for each in zip(folders, records)]
    files = [_check_files(*each, cfg_options, gallery) for each in zip(folders, records)]
    configs = [load_config(folder / CONFIG, cfg_options) if gallery else None
               for folder in folders]
    runs = [
        Run(name, record,
            cfg and _gallery(cfg, folder, record, original, pictures, score_thr,
                             PICTURE_BYTES // len(folders)),
            checked, found, filing, verification, run_id(record))
        for name, folder, record, cfg, (original, checked), found, filing, verification in zip(
            _names(folders, records), folders, records, configs, files, attacks, filings,
            verified)]
    out.parent.mkdir(parents=True, exist_ok=True)
    write_file(out, render_report(runs, f'{now()}, gslora_det {gslora_det.__version__}'))
    return out


def _record(folder: Path) -> dict:
    record = read_record(folder)
    if not record['tasks']:
        raise ValueError(f'{folder} has no finished task to report: continue it with '
                         'gslora erase and --resume')
    return record


def _attacks(folder: Path, record: dict) -> list[dict]:
    attacks = read_attacks(folder)
    if attacks is None:
        return []
    check_attacks(folder, attacks, record)
    return attacks['attacks']


def _check_files(folder: Path, record: dict, cfg_options: Mapping,
                 gallery: bool) -> tuple[str, set[str]]:
    """Where the original model is, and the sha256 of all recorded files that are there."""
    files, other = recorded_files(folder, record), cfg_options.get('load_from')
    if other is not None:
        files.update(_elsewhere(str(other), folder, record, gallery))
    elif gallery:
        fetch(weights_before(record)['file'])  # if it is a URL
    found = {check_file(place, entry) for place, entry in files.values()
             if entry['sha256'] and (place / entry['file']).is_file()}
    original = files['original weights'][1]['file']
    if gallery:
        check_file(folder, record['tasks'][-1]['merged'])
        if not Path(original).is_file():
            raise ValueError(f'checkpoint {original} does not exist; {_HINT}')
    return original, found


def _elsewhere(place: str, folder: Path, record: dict, gallery: bool) -> dict:
    """The entries of the weights that ``load_from`` names another place of."""
    file = fetch(place)
    if not file.is_file():
        raise ValueError(f'checkpoint {place} does not exist' + f'; {_HINT}' * gallery)
    entry = dict(file=str(file), sha256=sha256(file))
    names = [name for name, (_, recorded) in originals(record).items()
             if recorded['sha256'] == entry['sha256']]
    if not names:
        raise ValueError(f'load_from={place} is not the original of {folder}: its sha256 '
                         'is not the recorded one')
    return dict.fromkeys(names, (Path(), entry))


def _gallery(cfg, folder: Path, record: dict, original: str, pictures: int, score_thr: float,
             room: int):
    unlearned = str(folder / record['tasks'][-1]['merged']['file'])
    try:
        validation_set(cfg)  # may draw it
        check_same_annotations(folder, cfg, record, 'val')
        before, after = predict(cfg, original), predict(cfg, unlearned)
    except ValueError as error:
        raise ValueError(f'{str(error).rstrip(".")}; {_HINT}') from error
    return make_gallery(record, before, after, pictures, score_thr, room)


def _names(folders: Sequence[Path], records: Sequence[dict]) -> list[str]:
    names = [record['name'] for record in records]
    return names if len({*names}) == len(names) else [str(folder) for folder in folders]
