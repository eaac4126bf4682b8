"""The results of a sequence as rows, Markdown, CSV and a table on the terminal."""

import csv
import io
from collections.abc import Iterable

from rich import box
from rich.console import Console
from rich.table import Table

from gslora_det.evaluation import erased_up_to, h_ratio, ratio
from gslora_det.reporting.fates import objects_table
from gslora_det.words import percent

PROTOCOLS = {'full': 'All validation images',
             'reference': "Reference protocol: only images that contain the split's classes"}
OBJECTS = ('Objects: retained ones that the original finds above a score and now are lost; erased '
           'ones that are found under another name')
# Column title, key of a row, format of its value.
_COLUMNS = (
    ('Task', 'task', '{}'),
    ('Erased', 'erased', '{}'),
    ('AP_r', 'AP_retained', '{:.1%}'),
    ('AP_r/orig', 'AP_retained_relative', '{:.1%}'),
    ('AP_f', 'AP_forgotten', '{:.1%}'),
    ('AP_o', 'AP_old', '{:.1%}'),
    ('H', 'H', '{:.1%}'),
    ('H/H_max', 'H_relative', '{:.1%}'),
    ('Active', 'active_groups', '{}'),
    ('Seconds', 'seconds', '{:.0f}'),
)
LEGEND = ('AP is COCO AP@[.50:.95] with 100 detections an image; AP, H and ratios are '
          'in percent. r: retained, f: forgotten in this task, o: erased in earlier tasks, '
          'orig: the original model on the same classes. H: harmonic mean of AP_r and the '
          'drop of AP_f; H_max: H of a perfect erasure; H/H_max counts as 100 at most. '
          'Erased: classes erased so far. Active: groups whose norm is not zero. '
          '—: nothing to measure or to compare with.')


def markdown_table(titles: list[str], rows: Iterable[list[str]]) -> str:
    """A Markdown table of cells that are text already; all columns but the first are
    numbers and stand to the right. A ``|`` in a cell is escaped."""
    lines = [titles, ['---'] + ['---:'] * (len(titles) - 1), *rows]
    lines = [[cell.replace('|', r'\|') for cell in line] for line in lines]
    return ''.join(f'| {" | ".join(line)} |\n' for line in lines)


def csv_table(rows: list[dict], keys: Iterable[str] = ()) -> str:
    """Rows of one kind as CSV, under a line of their keys; ``keys`` are those of no rows."""
    text, keys = io.StringIO(), [*(rows[0] if rows else keys)]
    if keys:
        writer = csv.DictWriter(text, keys, lineterminator='\n')
        writer.writeheader()
        writer.writerows(rows)
    return text.getvalue()


def results_rows(record, protocol='full'):
    """Flatten a record into one row a task.

    Args:
        record (dict): The content of ``sequence.json``.
        protocol (str): ``'full'`` (AP over all images) or ``'reference'`` (over the
            images that contain the split's classes).

    Returns:
        list[dict]: Fractions, not percent; None where there is nothing to measure.
        ``AP_retained_relative`` is AP_retained over the original model's on the same
        classes, ``H_relative`` is :func:`h_ratio`, ``active_groups`` is ``'k/n'``.
    """
    if protocol not in PROTOCOLS:
        raise ValueError(f'protocol must be one of {[*PROTOCOLS]}, got {protocol!r}')
    rows = []
    for entry in record['tasks']:
        metrics, original = entry['metrics'], entry['original']
        if protocol == 'reference':
            metrics, original = (x.get('reference', {}) for x in (metrics, original))
        norms = entry.get('groups', {}).values()
        ap_retained = metrics.get('AP_retained')
        rows.append({
            'task': entry['task'],
            'forgotten': len(entry['forgotten']),
            'erased': len(erased_up_to(record, entry['task'])),
            'AP_retained': ap_retained,
            'AP_retained_relative': ratio(ap_retained, original.get('AP_retained')),
            'AP_forgotten': metrics.get('AP_forgotten'),
            'AP_old': metrics.get('AP_old'),
            'H': metrics.get('H'),
            'H_relative': h_ratio(metrics),
            'active_groups': (
                f'{sum(norm > 0 for norm in norms)}/{len(norms)}' if norms else None
            ),
            'seconds': entry.get('seconds'),
        })
    return rows


def results_table(record, protocol='full'):
    """The rows of :func:`results_rows` as text.

    Returns:
        tuple: The column titles, and for each task its cells, in percent with one
        decimal; ``—`` where there is nothing to measure.
    """
    rows = [
        ['—' if row[key] is None else form.format(row[key]).rstrip('%')
         for _, key, form in _COLUMNS]
        for row in results_rows(record, protocol)
    ]
    return [title for title, _, _ in _COLUMNS], rows


def _headline(record):
    ap = record['original']['AP']
    original = '—' if ap is None else f'{ap:.1%}'.rstrip('%')
    done, asked = len(record['tasks']), len(record.get('request', ()))
    so_far = f', {done} of {asked} requests' if done < asked else ''
    return f'{record["name"]}: {record["method"]}, original AP {original}{so_far}'


def to_markdown(record):
    """A header line and one Markdown table for each protocol.

    Args:
        record (dict): The content of ``sequence.json``.

    Returns:
        str: Percent with one decimal; ``—`` where there is nothing to measure.
    """
    parts = [f'# {_headline(record)}\n\n{LEGEND}\n']
    parts += [f'## {title}\n\n' + markdown_table(*results_table(record, protocol))
              for protocol, title in PROTOCOLS.items()]
    titles, rows = objects_table(record)
    if rows:
        parts.append(f'## {OBJECTS}\n\n' + markdown_table(titles, rows))
    return '\n'.join(parts)


def to_csv(record):
    """All rows of both protocols for further computation.

    Args:
        record (dict): The content of ``sequence.json``.

    Returns:
        str: CSV with the keys of :func:`results_rows` after ``protocol``. Fractions
        in full precision; an empty field where there is nothing to measure.
    """
    return csv_table([{'protocol': protocol, **row} for protocol in PROTOCOLS
                      for row in results_rows(record, protocol)], ['protocol'])


def metrics_in_words(metrics, before):
    """One line about a task.

    Args:
        metrics (dict): AP of its splits, as fractions.
        before (dict): The same of the original model.
    """
    return (f'retained AP {percent(metrics["AP_retained"])} '
            f'(was {percent(before["AP_retained"])}), '
            f'forgotten {percent(metrics["AP_forgotten"])} '
            f'(was {percent(before["AP_forgotten"])}), '
            f'erased earlier {percent(metrics["AP_old"])}')


def print_table(record):
    """Print the tables of both protocols on the terminal.

    Args:
        record (dict): The content of ``sequence.json``.
    """
    console = Console(highlight=False, markup=False, emoji=False)  # names stay as they are
    console.print(_headline(record), style='bold')
    tables = {title: results_table(record, protocol) for protocol, title in PROTOCOLS.items()}
    tables[OBJECTS] = objects_table(record)
    for title, (titles, rows) in tables.items():
        if not rows:
            continue
        table = Table(title=title, title_justify='left', box=box.SIMPLE_HEAD,
                      padding=(0, 1, 0, 0), show_edge=False)
        for column in titles:
            table.add_column(column, justify='right', no_wrap=True)
        for cells in rows:
            table.add_row(*cells)
        console.print(table)
        console.print()
    console.print(LEGEND, style='dim')
