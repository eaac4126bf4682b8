"""What the command ``gslora`` does, as functions."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gslora_det.attacks.run import AttackRun
from gslora_det.attacks.tables import print_attacks
from gslora_det.config_file import load_config, override, read_config
from gslora_det.engine.attack_record import FILE_NAME
from gslora_det.engine.sequence import UnlearningSequence
from gslora_det.engine.task_config import CONFIG
from gslora_det.options import FLAG, SEED, check_flags
from gslora_det.process import prepare_process
from gslora_det.recipe import set_request, settings_by_name
from gslora_det.reporting import results_rows
from gslora_det.reporting.build import write_report

PathLike = str | Path


@dataclass(frozen=True)
class Erasure:
    """What an erasure measured, and where it is.

    Attributes:
        work_dir (Path): The folder of the run; :func:`attack` and :func:`report` take it.
        weights (Path): The unlearned detector after the last request, a plain MMDetection
            checkpoint.
        requests (list[dict]): A row a request: ``forgotten`` (number of classes),
            ``AP_retained``, ``AP_retained_relative`` (to the original's), ``AP_forgotten``,
            ``AP_old`` (of what was erased earlier), ``H`` and more. COCO AP as a fraction; None
            where there is nothing to measure.
        record (dict): All of ``sequence.json``.
    """
    work_dir: Path
    weights: Path
    requests: list[dict[str, Any]]
    record: dict[str, Any]


def erase(config: PathLike, checkpoint: str | None = None, classes: Sequence | None = None,
          work_dir: PathLike | None = None, resume: bool = False, **settings) -> Erasure:
    """Makes a trained detector forget classes.

    Examples:
        >>> erasure = gslora_det.erase('my_detector.py', 'my.pth', ['face'], iters=300)
        >>> erasure.requests[-1]['AP_forgotten'], erasure.weights

    Args:
        config (str | Path): The detector's MMDetection config. One without a ``method`` gets the
            recommended recipe. ``gslora_det::…`` is a config that the package brings.
        checkpoint (str, optional): The detector's weights, a file or URL; by default the config's
            ``load_from``. A ``merged.pth`` of an earlier erasure begins a later request.
        classes (list, optional): Names or category ids for one request, or a list of such lists
            for one after another; by default what the config's ``sequence`` says.
        work_dir (str | Path, optional): Folder for all that is written; by default
            ``work_dirs/`` and the config's name.
        resume (bool): Continue what was begun in ``work_dir``.
        **settings: Of ``sequence`` or ``method``, such as ``iters=300`` or ``margin=5.0``; others
            by their dotted names, ``**{'optim_wrapper.optimizer.lr': 1e-3}``. ``requester``,
            ``request_id`` and ``operator`` are texts for the report.

    Returns:
        Erasure: What was measured, and where the weights are.

    Raises:
        ValueError: A file, a class or a setting does not fit; one line says what. Nothing is
            written then.
    """
    prepare_process()
    cfg = read_config(config)
    set_request(cfg, checkpoint, classes)
    override(cfg, settings_by_name(cfg, settings), work_dir)
    folder = Path(cfg.work_dir)
    record = UnlearningSequence(cfg, resume).run()
    return Erasure(folder, folder / record['tasks'][-1]['merged']['file'], results_rows(record),
                   record)


def attack(work_dir: PathLike, attacks: Sequence[str] | None = None,
           tasks: Sequence[int] | None = None, oracles: Sequence[str] | None = None,
           seed: int = 0, cfg_options: dict[str, Any] | None = None,
           controls: bool = True) -> list[dict]:
    """Tries to bring back what was erased, beside controls. What was made before stays.

    Args:
        work_dir (str | Path): The folder of a finished erasure.
        attacks (list[str], optional): Names, as ``docs/attacks.md`` has them; by default all.
        tasks (list[int], optional): After which requests, from 1 on; by default the first and
            the last.
        oracles (list[str], optional): For each of ``tasks``, weights of a detector that was
            trained without what was erased up to then; without ``tasks`` one, for the first;
            by default the config's.
        seed (int): Of all that is drawn; that of what was made before.
        cfg_options (dict, optional): Values in the run's config, by dotted names.
        controls (bool): Attack controls, too, without which what is found proves nothing.

    Returns:
        list[dict]: The attacks of ``attacks.json``: ``attack``, ``detector``, ``task``, and a
        ``curve`` of what was found, AP in percent.

    Raises:
        ValueError: The folder is of no erasure, or something does not fit it.
    """
    check_flags(seed=(seed, SEED), controls=(controls, FLAG))
    prepare_process()
    work_dir = Path(work_dir)
    cfg = load_config(work_dir / CONFIG, cfg_options)
    oracles = oracles and _by_task(oracles, tasks or (1, ))
    record = AttackRun(work_dir, cfg, attacks, tasks, oracles, seed, controls).run()
    print_attacks(record)
    print(f'Attacks: {work_dir / FILE_NAME}')
    return record['attacks']


def _by_task(oracles: Sequence[str], tasks: Sequence[int]) -> dict[int, str]:
    found = dict(zip(tasks, oracles))
    if not len(found) == len(tasks) == len(oracles):
        raise ValueError(f'--oracles: {len(oracles)} given, for --tasks '
                         f'{" ".join(map(str, tasks))}: name each task once, and one oracle for '
                         'each')
    return found


def report(work_dirs: PathLike | Sequence[PathLike], out: PathLike | None = None,
           gallery: bool = True, pictures: int = 36, score_thr: float = 0.3,
           cfg_options: dict[str, Any] | None = None, requester: str | None = None,
           request_id: str | None = None, operator: str | None = None) -> Path:
    """Writes one HTML file that can be filed: what was asked, what is shown, and what is not.

    Args:
        work_dirs (str | Path | list): The folder of an erasure; several are compared.
        out (str | Path, optional): The file; by default ``report.html`` in the folder of the one
            erasure. Only an earlier report of the same runs is replaced.
        gallery (bool): Show what needs the detectors and the images: fates, thresholds, pictures.
        pictures (int): At most so many images of each run.
        score_thr (float): Only detections with a score above it count.
        cfg_options (dict, optional): Values in the runs' configs, by dotted names, such as
            ``{'load_from': 'moved.pth'}``.
        requester (str, optional): Who asked, where the run did not record it.
        request_id (str, optional): Under which number.
        operator (str, optional): Who carried it out.

    Returns:
        Path: The file.

    Raises:
        ValueError: An option or a file does not fit; one line says what. Nothing is written then.
    """
    prepare_process()
    out = write_report(work_dirs, out, gallery, pictures, score_thr, cfg_options, requester,
                       request_id, operator)
    print(f'wrote {out}, {out.stat().st_size / 1e6:.1f} MB')
    return out
