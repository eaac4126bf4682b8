"""The report of one or several sequences as one HTML file that needs nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from gslora_det.evaluation.box_fates import IOU_THR
from gslora_det.report import figures
from gslora_det.report.erased_sets import erased_sets
from gslora_det.report.gallery import MEANINGS, Gallery, typical_picture
from gslora_det.report.tables import LEGEND, results_table
from gslora_det.report.verdict import RULES, fates_in_words, percent, plural, verdict


class Run(NamedTuple):
    """What is reported of one sequence.

    Attributes:
        name: How the page calls it.
        record: The content of its ``sequence.json``, with at least one task.
        gallery: Fates and pictures, see :func:`make_gallery`; None leaves them out.
    """

    name: str
    record: dict
    gallery: Gallery | None = None


def render_report(runs: Sequence[Run]) -> str:
    """Writes the page; several runs are compared first, then shown one by one.

    Args:
        runs: The sequences, at least one.

    Returns:
        HTML with its styles, script and pictures inline; names are escaped.
    """
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / 'template'), autoescape=True,
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
    )
    environment.filters.update(percent=percent, plural=plural)
    return environment.get_template('report.html').render(
        runs=[_view(f'run{i}', run) for i, run in enumerate(runs, 1)],
        comparison=_comparison(runs) if len(runs) > 1 else None,
        rules=RULES, legend=LEGEND, fate_meanings=MEANINGS, iou_thr=IOU_THR,
    )


def _comparison(runs) -> dict:
    records = [run.record for run in runs]
    return dict(
        titles=results_table(records[0])[0],
        same_request=all(r['request'] == records[0]['request'] for r in records),
        curves=figures.comparison_svg(records, [run.name for run in runs]),
    )


def _view(anchor: str, run: Run) -> dict:
    """What the template shows of one run."""
    record, tasks = run.record, run.record['tasks']
    erased = [name for task in tasks for name in task['forgotten']]
    requested = sum(map(len, record['request']))
    classes = list(record['original']['per_class'])
    titles, rows = results_table(record)
    plots = [
        ('retained', figures.classes_svg(record, sorted({*classes} - {*erased}), 'retained')),
        ('forgotten', figures.classes_svg(record, erased, 'forgotten')),
    ]
    sections = [
        ('tasks', 'Requests'), ('return', 'What comes back'), ('norms', 'Changed blocks'),
        ('classes', 'Classes'),
        *([('fates', 'Objects'), ('gallery', 'Pictures')] if run.gallery else []),
        ('made', 'How it was made'),
    ]
    return dict(
        **_gallery_view(run.gallery), id=anchor, name=run.name, record=record,
        verdict=verdict(record),
        title=f'Forget {requested} of {plural(len(classes), "class")}',
        num_classes=len(classes), num_requested=requested, titles=titles, rows=rows,
        ap=figures.ap_svg(record), erased_sets=erased_sets(record),
        norms=figures.norms_svg(record), zero_groups=_zero_groups(tasks),
        classes=[(role, plot) for role, plot in plots if plot], sections=sections,
        seconds=f'{sum(task["seconds"] for task in tasks):,.0f}',
        images_seen=f'{sum(task["images_seen"] for task in tasks):,}',
        trainable=f'{tasks[-1]["trainable_parameters"]:,}',
    )


def _gallery_view(gallery) -> dict:
    if gallery is None:
        return dict(gallery=None)
    confusion = [(name, new, count) for name, found in gallery.summary['confusion'].items()
                 for new, count in found.items()]
    shown = {box for picture in gallery.pictures for box in picture.boxes}
    return dict(
        gallery=gallery, example=typical_picture(gallery),
        fates_in_words=fates_in_words(gallery.summary['roles']),
        confusion=sorted(confusion, key=lambda x: -x[2]),
        gallery_classes=sorted({name for name, _ in shown}),
        gallery_fates=[fate for fate in MEANINGS if fate in {fate for _, fate in shown}],
    )


def _zero_groups(tasks) -> str:
    norms = [norm for task in tasks for norm in task.get('groups', {}).values()]
    return f'{norms.count(0)} of the {len(norms)} changes are exactly zero.'
