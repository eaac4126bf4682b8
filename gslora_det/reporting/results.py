"""The files of results beside the record of a sequence."""

from pathlib import Path

from gslora_det.files import atomic_write, write_file
from gslora_det.reporting.curves import draw_curves
from gslora_det.reporting.tables import to_csv, to_markdown


def write_results(record: dict, folder: Path) -> None:
    """Writes ``results.md``, ``results.csv`` and ``curves.png``.

    Args:
        record (dict): The content of ``sequence.json`` with at least one task.
        folder (Path): Where to.
    """
    for name, text in (('results.md', to_markdown), ('results.csv', to_csv)):
        write_file(folder / name, text(record))
    with atomic_write(folder / 'curves.png') as draft:
        draw_curves(record, draft)
