"""The outcome of attacks as tables."""

from typing import Dict, List

from rich import box
from rich.console import Console
from rich.table import Table

from gslora_det.evaluation import attack_rows

COLUMNS = ('unlearned', 'oracle', 'head mask', 'original', 'shuffled labels', 'retained classes')
LEGEND = ('The most that each attack found at any point, in percent; for AP that of the erased '
          'classes, or, in the last column, of as many retained ones whose rows were reset. '
          'Oracle: trained without the classes. Head mask: the original with reset rows, which '
          'only hides. void: a control did not behave, and the attack proves nothing.')


def cells(row: dict) -> List[str]:
    """A row as text: attack, what it measures, and what it found in each detector."""
    title = row['attack'] + (f', {row["setting"]}' if row['setting'] else '')
    void = f' (void: {row["void"]})' if row['void'] else ''
    numbers = (row['found'].get(name) for name in COLUMNS)
    return [str(row['task']), title + void, row['measures'].replace('AP_forgotten', 'AP_f'),
            *('—' if value is None else f'{value:.1f}' for value in numbers)]


def print_attacks(record: Dict[str, list]) -> None:
    """Prints a table of what was found."""
    table = Table('Task', 'Attack', 'Measured', *(name.capitalize() for name in COLUMNS),
                  box=box.SIMPLE_HEAD)
    for row in attack_rows(record['attacks']):
        table.add_row(*cells(row))
    console = Console(highlight=False, markup=False, emoji=False)
    console.print(table)
    console.print(LEGEND)
