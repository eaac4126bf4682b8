"""The record of attacks on a sequence, and whether it is of the sequence's detectors."""

from pathlib import Path
from typing import Any

from gslora_det.engine.record import weights_before
from gslora_det.files import read_json

FILE_NAME = 'attacks.json'
FORMAT_VERSION = 1
_TEXTS = ('attack', 'setting', 'detector', 'title', 'x_title', 'measures')


def read_attacks(work_dir: Path) -> dict | None:
    """The record of attacks on a sequence, None where there were none.

    Raises:
        ValueError: It is damaged, or of another format version.
    """
    path = Path(work_dir) / FILE_NAME
    if not path.exists():
        return None
    attacks = read_json(path)
    if not isinstance(attacks, dict) or attacks.get('format_version') != FORMAT_VERSION or not (
            isinstance(attacks.get('detectors'), dict)
            and isinstance(attacks.get('attacks'), list)
            and all(map(_is_entry, attacks['attacks']))):
        raise ValueError(f'{path} is no record of attacks that this package reads: move it away '
                         'and run gslora attack again')
    return attacks


def check_attacks(work_dir: Path, attacks: dict, sequence: dict) -> None:
    """Refuses attacks on other detectors than those of a sequence.

    Args:
        work_dir (Path): The folder of both records, for the message.
        attacks (dict): See :func:`read_attacks`.
        sequence (dict): The content of ``sequence.json``.

    Raises:
        ValueError: The sha256 of an attacked detector is not the one in the sequence.
    """
    recorded = {f'task {task["task"]}': task['merged']['sha256'] for task in sequence['tasks']}
    recorded['original'] = weights_before(sequence)['sha256']
    attacked = dict.fromkeys(f'task {entry["task"]}' for entry in attacks['attacks'])
    for name in ('original', *attacked) if attacked else ():
        sha256 = attacks['detectors'].get(name)
        if sha256 is None or sha256 != recorded.get(name):
            raise ValueError(
                f'{Path(work_dir) / FILE_NAME} is of other weights than the sequence ({name}): '
                f'move it away and run gslora attack {work_dir} again')


def _is_entry(entry: Any) -> bool:
    return (isinstance(entry, dict) and all(isinstance(entry.get(key), str) for key in _TEXTS)
            and all(isinstance(entry.get(key), int) for key in ('task', 'seed'))
            and _is_number(entry.get('chance'))
            and all(isinstance(entry.get(key), bool) for key in ('finds_hidden', 'needs_original'))
            and isinstance(entry.get('curve'), list)
            and all(isinstance(point, dict) and _is_number(point.get('x'))
                    and _is_number(point.get(entry['measures'])) for point in entry['curve']))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float))
