"""What a verification of a sequence's folder found, and whether it is of what lies there now."""

from pathlib import Path
from typing import Any

import gslora_det
from gslora_det.engine import attack_record
from gslora_det.engine.provenance import now, source_sha256
from gslora_det.engine.record import digest
from gslora_det.files import read_json, sha256, write_json

FILE_NAME = 'verification.json'
FORMAT_VERSION = 1


def write_verification(work_dir: Path, record: dict, checks: list[dict], metrics: bool) -> None:
    """Keeps what was found.

    Args:
        work_dir (Path): The folder of the sequence.
        record (dict): The content of its ``sequence.json``.
        checks (list[dict]): ``name``, ``passed`` and ``found`` of each.
        metrics (bool): Whether the metrics were measured again.
    """
    write_json(Path(work_dir) / FILE_NAME, dict(
        format_version=FORMAT_VERSION, date=now(), metrics=metrics, of=_state(work_dir, record),
        code=dict(version=gslora_det.__version__, sha256=source_sha256()), checks=checks))


def read_verification(work_dir: Path, record: dict) -> dict | None:
    """The last verification of a sequence's folder; None where there was none.

    ``current`` is added: whether the records of the sequence and of its attacks are still those
    that were verified.

    Raises:
        ValueError: It is damaged, or of another format version.
    """
    path = Path(work_dir) / FILE_NAME
    if not path.exists():
        return None
    found = read_json(path)
    if not _is_verification(found):
        raise ValueError(f'{path} is no verification that this package reads: remove it and run '
                         f'gslora verify {work_dir} again')
    return dict(found, current=found['of'] == _state(work_dir, record))


def _state(work_dir: Path, record: dict) -> dict:
    attacks = Path(work_dir) / attack_record.FILE_NAME
    return dict(record=digest(record), attacks=sha256(attacks) if attacks.exists() else None)


def _is_verification(found: Any) -> bool:
    return (isinstance(found, dict) and found.get('format_version') == FORMAT_VERSION
            and isinstance(found.get('date'), str) and isinstance(found.get('of'), dict)
            and isinstance(found.get('metrics'), bool) and isinstance(found.get('checks'), list)
            and all(isinstance(check, dict) and isinstance(check.get('passed'), bool)
                    and isinstance(check.get('name'), str) for check in found['checks']))
