"""The outcome of attacks as tables."""

from rich import box
from rich.console import Console
from rich.table import Table

from gslora_det.evaluation import DETECTORS, attack_rows

_COLUMNS = ('Now', 'Oracle', 'Mask', 'Before', 'Wrong', 'Kept')  # on a terminal
LEGEND = ('The most that each attack found at any point, in percent. Now: the unlearned detector. '
          'Oracle: trained without the classes. Mask: the original with reset class rows, which '
          'only hides. Before: the original. Wrong: with shuffled labels. Kept: as many retained '
          'classes whose rows were reset. void: a control did not behave, and the attack proves '
          'nothing. AP_f: AP of the erased classes.')


def cells(row: dict) -> list[str]:
    """A row as text: task, attack, what it measures, and what it found in each detector."""
    void = f' (void: {row["void"]})' if row['void'] else ''
    numbers = (row['found'].get(name) for name in DETECTORS)
    return [str(row['task']), row['name'] + void, row['measures'].replace('AP_forgotten', 'AP_f'),
            *('—' if value is None else f'{value:.1f}' for value in numbers)]


def print_attacks(record: dict[str, list]) -> None:
    """Prints a table of what was found."""
    table = Table('Task', 'Attack', 'Found', box=box.SIMPLE_HEAD)
    for title in _COLUMNS:
        table.add_column(title, justify='right', no_wrap=True)
    for row in attack_rows(record['attacks']):
        table.add_row(*cells(row))
    console = Console(highlight=False, markup=False, emoji=False)
    console.print(table)
    console.print(LEGEND)
