"""Writes the results section of README.md from the records in docs/results/.

Each record is the `sequence.json` of a run: copy a new one there and run this script.
"""

from pathlib import Path

from gslora_det.files import read_json
from gslora_det.report import results_rows

DOCS = Path(__file__).parent
BEGIN, END = '<!-- results: begin -->\n', '<!-- results: end -->\n'


def _percent(value) -> str:
    return '—' if value is None else f'{100 * value:.1f}'


def _row(name, row: dict) -> str:
    cells = [name, *(_percent(row[key]) for key in (
        'AP_retained', 'AP_retained_relative', 'AP_forgotten', 'AP_old', 'H', 'H_relative'))]
    return '| ' + ' | '.join(map(str, cells)) + ' |\n'


def _table(first: str, rows) -> str:
    titles = [first, 'AP_r', 'AP_r / original', 'AP_f', 'AP_o', 'H', 'H / H_max']
    return ('| ' + ' | '.join(titles) + ' |\n' + '|---' * len(titles) + '|\n'
            + ''.join(_row(name, row) for name, row in rows))


def _record(name: str) -> dict:
    return read_json(DOCS / f'results/{name}.json')


def _measured(names) -> list:
    return [name for name in names if (DOCS / f'results/{name}.json').exists()]


def results_section() -> str:
    """The section as Markdown: every run that has a record."""
    original = _record('ddetr_forget_80-10x7')['original']['AP']
    parts = [
        f'On Glyph80, whose detector starts at AP {_percent(original)}; two CPU cores. AP_r, '
        'AP_f and AP_o are the COCO AP (percent, all validation images) of the retained '
        'classes, of those forgotten in the task, and of those erased earlier; H is the '
        'harmonic mean of AP_r and the drop of AP_f, H_max that of a perfect erasure.\n']
    for name in _measured(['ddetr_forget_80-10x7', 'ddetr_forget_80-10x7_paper']):
        rows = ((row['task'], row) for row in results_rows(_record(name)))
        parts.append(f'Seven requests of ten classes, `configs/glyph80/{name}.py`:\n\n'
                     + _table('task', rows))
    single = _measured(f'ddetr_forget_80-{y}' for y in (1, 5, 40, 70))
    if single:
        rows = ((name.rsplit('_', 1)[-1], results_rows(_record(name))[0]) for name in single)
        parts.append('One request, `configs/glyph80/ddetr_forget_80-*.py`:\n\n'
                     + _table('classes', rows))
    return '\n'.join(parts)


def updated_readme() -> str:
    """README.md with the section in its place."""
    text = (DOCS.parent / 'README.md').read_text('utf-8')
    head, rest = text.split(BEGIN)
    return head + BEGIN + results_section() + END + rest.split(END)[1]


if __name__ == '__main__':
    (DOCS.parent / 'README.md').write_text(updated_readme(), 'utf-8')
