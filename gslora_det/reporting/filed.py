"""What makes a report fit for the files: who and when, with what, and what is not shown."""

from collections.abc import Mapping

from gslora_det.words import plural


def facts(run) -> list[tuple[str, str]]:
    """Who asked, who carried it out, when, and whether it was verified: titles and texts.

    Args:
        run (Run): See :class:`gslora_det.reporting.Run`.
    """
    recorded, starts = run.record['filing'], run.record['runs']

    def text(key: str) -> str:
        given = (run.filing or recorded).get(key)
        if given is None:
            return 'not recorded'
        return given if recorded.get(key) == given else f'{given} (said for this report)'

    return [
        ('Requester', text('requester')), ('Request', text('request_id')),
        ('Carried out by', text('operator')),
        ('Begun', _time(starts[0]['started'])), ('Ended', _time(starts[-1].get('finished'))),
        ('Verified', verified(run.verification)[0])]


def _time(moment: str | None) -> str:
    """``'2026-11-26 11:55 UTC'`` of ISO 8601."""
    return f'{moment[:10]} {moment[11:16]} UTC' if moment else 'not yet'


def verified(found: Mapping | None) -> tuple[str, bool]:
    """What ``gslora verify`` found, in words, and whether all is well.

    Args:
        found: See :func:`gslora_det.engine.verification_record.read_verification`.
    """
    if found is None:
        return 'not verified', False
    date, checks = _time(found['date']), found['checks']
    if not found['current']:
        return f'not verified: the records were changed after the verification of {date}', False
    wrong = [check['name'] for check in checks if not check['passed']]
    if wrong:
        return (f'{date}: {len(wrong)} of {plural(len(checks), "check")} failed '
                f'({"; ".join(wrong)})', False)
    rest = '; metrics measured again' if found['metrics'] else '; files alone, no metrics'
    return f'{date}: {plural(len(checks), "check")} passed{rest}', True


def made_with(record: dict) -> list[tuple[str, list[str]]]:
    """With what a run was done: titles, and a text for each start of it."""
    starts, data = record['runs'], record['settings']['data']
    labels = record.get('labels')
    detected = f'{labels_in_words(labels)}: ' if labels else ''

    def each(text) -> list[str]:
        return [*dict.fromkeys(map(text, starts))]

    return [
        ('Starts', [f'{_time(start["started"])} to {_time(start.get("finished"))}'
                    for start in starts]),
        ('Device', each(lambda start: f'{start["device"]}, '
                        f'{plural(start["processes"], "process")}')),
        ('Seed', each(lambda start: str(start['seed']))),
        ('Versions', each(lambda start: ', '.join(
            [f'Python {start["python"]}', f'gslora_det {start["code"]["version"]}',
             *(f'{name} {version}' for name, version in start['packages'].items())]))),
        ('Source code', each(lambda start: 'SHA-256 of the package’s Python files '
                             f'{start["code"]["sha256"]}')),
        *((f'Annotations of the {title} images',
           [f'{used}SHA-256 {data[key]["annotations_sha256"]}'])
          for key, title, used in (('train', 'training', detected), ('val', 'validation', '')))]


def labels_in_words(labels: Mapping) -> str:
    """What stands for the annotations of the training images, from a record's ``labels``."""
    return (f'no annotations, but {plural(labels["objects"], "object")} that the original finds '
            f'in {plural(labels["images"], "image")} with scores from {labels["score_thr"]} on')


def not_shown(run, back) -> list[str]:
    """What a reader may not conclude from the page, in sentences.

    Args:
        run (Run): See :class:`gslora_det.reporting.Run`.
        back (Answer): The answer to whether the classes can be brought back.
    """
    images = (plural(run.gallery.num_images, 'validation image') if run.gallery
              else 'the validation images')
    text, well = verified(run.verification)
    return [back.doubt or 'What other attacks would bring back.',
            'That the information is gone from the model, or cannot be relearned.',
            'That the original model and the training data were deleted.',
            f'What the detector reports on other images than {images}.',
            *([] if well else [f'That files and numbers are what the record says: {text}.'])]
