"""The report of one or several sequences as one HTML file that needs nothing else."""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from gslora_det.evaluation import DETECTORS, LEAST_AP
from gslora_det.evaluation.matching import IOU_THR
from gslora_det.reporting import figures
from gslora_det.reporting.attacks import attack_tables, recovery_curves
from gslora_det.reporting.erased_sets import erased_sets
from gslora_det.reporting.fates import MEANINGS, fate_rows, fates_in_words
from gslora_det.reporting.filed import facts, made_with, not_shown, verified
from gslora_det.reporting.gallery import Gallery, typical_picture
from gslora_det.reporting.place import GENERATOR
from gslora_det.reporting.resets import resets_rows
from gslora_det.reporting.tables import LEGEND, results_rows, results_table
from gslora_det.reporting.templates import environment
from gslora_det.reporting.thresholds import over_thresholds
from gslora_det.reporting.verdict import so_far, verdict
from gslora_det.words import plural

_SECTIONS = dict(
    asked='What was to be forgotten', tasks='After each request',
    back='Did it stay erased during later requests?',
    attacks='Attacks: can it be brought back?',
    classes='Each class, before and now', fates='What became of the objects',
    thresholds='At other score thresholds', gallery='Pictures, before and now',
    norms='Where the model changed',
    made='How this run was made')


class Run(NamedTuple):
    """What is reported of one sequence.

    Attributes:
        name: How the page calls it.
        record: The content of its ``sequence.json``, with at least one task.
        gallery: Fates and pictures, see :func:`make_gallery`; None leaves them out.
        checked: The sha256 of the files that were hashed again and are the recorded ones; of
            the others the page says that they are not where the record says.
        attacks: The entries of its ``attacks.json``, see
            :func:`gslora_det.engine.attack_record.read_attacks`; without, it is not tested.
        filing: ``requester``, ``request_id`` and ``operator``, each a text or None; by default
            what the record says.
        verification: See
            :func:`gslora_det.engine.verification_record.read_verification`; None if there was
            none.
        id: Of the run, by which a later report knows this one.
    """

    name: str
    record: dict
    gallery: Gallery | None = None
    checked: Collection[str] = ()
    attacks: Sequence[dict] = ()
    filing: Mapping[str, str | None] | None = None
    verification: Mapping | None = None
    id: str = ''


def render_report(runs: Sequence[Run], written: str = '') -> str:
    """Writes the page; several runs are compared first, then shown one by one.

    Args:
        runs: The sequences, at least one.
        written: When and by what, for the foot of the page.

    Returns:
        HTML with its styles, script and pictures inline; names are escaped.
    """
    views = [_view(f'run{i}', run, heading=2 if len(runs) == 1 else 3)
             for i, run in enumerate(runs, 1)]
    return environment().get_template('report.html').render(
        runs=views, generator=GENERATOR, run_ids=' '.join(run.id for run in runs),
        written=written, running_title=_running_title(runs, views),
        comparison=_comparison(runs) if len(runs) > 1 else None,
        legend=LEGEND, limits=figures.LIMITS, least_ap=LEAST_AP,
        fate_meanings=MEANINGS, iou_thr=IOU_THR, attacked=DETECTORS,
    )


def _running_title(runs, views) -> str:
    """What stands at the head of every printed page."""
    if len(runs) > 1:
        return f'Comparison of {len(runs)} runs: {", ".join(run.name for run in runs)}'
    request = (runs[0].filing or runs[0].record['filing'])['request_id']
    return ' · '.join([views[0]['title'], runs[0].name, *([request] if request else [])])


def _comparison(runs) -> dict:
    records = [run.record for run in runs]
    return dict(
        titles=results_table(records[0])[0],
        same_request=all(r['request'] == records[0]['request'] for r in records),
        unfinished=sum(bool(so_far(r)) for r in records),
        curves=figures.comparison_svg(records, [run.name for run in runs]),
    )


def _view(anchor: str, run: Run, heading: int) -> dict:
    """What the template shows of one run; ``heading`` is the level of its sections' titles."""
    record, tasks = run.record, run.record['tasks']
    forgotten = [name for task in tasks for name in task['forgotten']]
    requested = [name for names in record['request'] for name in names]
    before = record.get('erased_before', ())  # by an earlier sequence
    classes = [name for name in record['original']['per_class'] if name not in before]
    titles, rows = results_table(record)
    title = f'Report on forgetting {len(requested)} of {plural(len(classes), "class")}'
    progress = so_far(record)
    plots = dict(
        retained=figures.classes_svgs(record, sorted({*classes} - {*forgotten}), 'retained'),
        forgotten=figures.classes_svgs(record, forgotten, 'forgotten'))
    judged = verdict(record, run.gallery and run.gallery.summary['found'], run.attacks,
                     run.gallery and run.gallery.score_thr)
    return dict(
        **_gallery_view(run.gallery, record), id=anchor, heading=heading, name=run.name,
        record=record, verdict=judged, facts=facts(run), made_with=made_with(record),
        not_shown=not_shown(run, judged.answers[3]), verified=verified(run.verification)[0],
        checks=(run.verification or {}).get('checks', ()),
        attacks=attack_tables(run.attacks), recovery=recovery_curves(run.attacks),
        title=f'{title}: {progress} requested so far' if progress else title,
        progress=progress, files=_files(record, run.checked),
        evidence=_evidence(run), requests=_requests(record['request']), classes=classes,
        num_requested=len(requested), erased_before=before,
        retained=[name for name in classes if name not in requested],
        tasks=results_rows(record), titles=titles, rows=rows,
        ap=figures.ap_svg(record), erased_sets=erased_sets(record),
        norms=figures.norms_svg(record), zero_groups=_zero_groups(tasks),
        resets_rows=resets_rows(record), plots=plots,
        sections={anchor: title for anchor, title in _SECTIONS.items()
                  if (run.gallery or anchor not in ('fates', 'thresholds', 'gallery'))
                  and (run.attacks or anchor != 'attacks')},
        seconds=f'{sum(task["seconds"] for task in tasks):,.0f}',
        images_seen=f'{sum(task["images_seen"] for task in tasks):,}',
        trainable=f'{tasks[-1]["trainable_parameters"]:,}',
    )


def _evidence(run: Run) -> str:
    """What the verdict rests on, in one line."""
    parts = ['One unfinished run' if so_far(run.record) else 'One run']
    last = run.record['runs'][-1]
    if run.gallery:
        objects = sum(seen['objects'] for seen in run.gallery.summary['recall'].values())
        classes = len(run.record['original']['per_class'])
        parts.append(f'{plural(run.gallery.num_images, "validation image")} with {objects:,} '
                     f'objects, on average {objects / classes:.0f} of a class')
    parts.append(f'{last["started"][:10]}, gslora_det {last["code"]["version"]}')
    return '; '.join(parts) + '.'


def _files(record, checked) -> list[tuple[str, dict, bool]]:
    """The weights that the page names: what they are, their entry, were they checked."""
    files = [('Original weights', record.get('original_weights') or record['weights'])]
    if record.get('original_weights'):
        files.append(('Weights at the start, of an earlier sequence', record['weights']))
    unlearned = 'Unlearned weights so far' if so_far(record) else 'Unlearned weights'
    files.append((unlearned, record['tasks'][-1]['merged']))
    return [(title, entry, entry['sha256'] in checked) for title, entry in files]


def _requests(request) -> str:
    """``'7 requests of 10 classes each'``, or only their number where they differ."""
    text, sizes = plural(len(request), 'request'), {*map(len, request)}
    if len(request) == 1 or len(sizes) > 1:
        return text
    return f'{text} of {plural(sizes.pop(), "class")} each'


def _gallery_view(gallery, record) -> dict:
    if gallery is None:
        return dict(gallery=None)
    confusion = [(name, new, count) for name, found in gallery.summary['confusion'].items()
                 for new, count in found.items()]
    shown = {box for picture in gallery.pictures for box in picture.boxes}
    return dict(
        gallery=gallery, example=typical_picture(gallery), thresholds=over_thresholds(
            gallery.scores, [*record['original']['per_class']], gallery.roles, gallery.score_thr),
        fates_in_words=fates_in_words(gallery.summary, gallery.score_thr),
        fate_rows=fate_rows(gallery.summary), confusion=sorted(confusion, key=lambda x: -x[2]),
        gallery_classes=sorted({name for name, _ in shown}),
        gallery_fates=[fate for fate in MEANINGS if fate in {fate for _, fate in shown}],
    )


def _zero_groups(tasks) -> str:
    norms = [norm for task in tasks for norm in task.get('groups', {}).values()]
    blank = norms.count(0)
    return (f'A blank field would mean no change; none of the {len(norms)} is blank.' if not blank
            else f'A blank field means no change: {blank} of the {len(norms)} '
                 f'{"is" if blank == 1 else "are"} blank.')
