"""Writes the results in README.md and docs/ from the records in docs/results/.

Each record is the `sequence.json` of a run; those of `tools/compare.py` are its `cells/`, those of
`tools/attack.py` lie in `attacks/` under the name of the run.
Copy new ones there and run this script.
"""

from functools import cache
from pathlib import Path

from mmengine.config import Config

from gslora_det.attacks.tables import cells
from gslora_det.comparison import (
    LEGEND,
    Comparison,
    by_method,
    draw_curves,
    leading,
    overview,
    setting_table,
    to_markdown,
    tuning_to_markdown,
)
from gslora_det.evaluation import DETECTORS, attack_rows, lost_share
from gslora_det.files import read_json
from gslora_det.reporting import results_rows
from gslora_det.reporting.tables import markdown_table
from gslora_det.words import percent

DOCS = Path(__file__).parent
SEQUENCE = '80-10x7'


def _table(first: str, rows) -> str:
    titles = [first, 'AP_r', 'AP_r / original', 'AP_f', 'AP_o', 'H / H_max', 'lost > 0.3',
              'lost > 0.5']
    keys = ('AP_retained', 'AP_retained_relative', 'AP_forgotten', 'AP_old', 'H_relative')
    return markdown_table(titles, (
        [str(name), *(percent(row[key]) for key in keys), *(
            _lost(task, score) for score in ('0.3', '0.5'))] for name, row, task in rows))


def _lost(task: dict, score: str) -> str:
    """The share of the retained objects that were found above a score and are no more."""
    lost = lost_share(task.get('objects'), score)
    return '—' if lost is None else f'{100 * lost:.1f} %'


def _record(name: str) -> dict:
    return read_json(DOCS / f'results/{name}.json')


def _measured(names) -> list:
    return [name for name in names if (DOCS / f'results/{name}.json').exists()]


def results_section() -> str:
    """The section as Markdown: every run that has a record."""
    original = _record('ddetr_forget_80-10x7')['original']['AP']
    parts = [
        f'On Glyph80, whose detector starts at AP {percent(original)}; two CPU cores. AP_r, '
        'AP_f and AP_o are the COCO AP (percent, all validation images) of the retained '
        'classes, of those forgotten in the task, and of those erased earlier; H is the '
        'harmonic mean of AP_r and the drop of AP_f, H_max that of a perfect erasure. Lost: the '
        'share of the retained objects that the original finds above a score, and this one does '
        'not.\n']
    recipes = {
        'ddetr_forget_80-10x7_linear': 'linear erasure',
        'ddetr_forget_80-10x7': 'GS-LoRA in our recipe',
        'ddetr_forget_80-10x7_paper': 'the paper\'s recipe, whose updates are scaled by 1/8 and '
        'which trains for 30 epochs on COCO, in the same 150 steps (with larger steps its terms '
        'do erase: [comparison](comparison.md))'}
    for name in _measured(recipes):
        record = _record(name)
        rows = ((row['task'], row, task) for row, task in zip(
            results_rows(record), record['tasks']))
        parts.append(f'Seven requests of ten classes, {recipes[name]}, '
                     f'`configs/glyph80/{name}.py`:\n\n' + _table('task', rows))
    single = _measured(f'ddetr_forget_80-{y}' for y in ('1', '5', '5_linear', '40', '70'))
    if single:
        rows = ((_one_title(name, record), results_rows(record)[0], record['tasks'][0])
                for name, record in zip(single, map(_record, single)))
        parts.append('One request, `configs/glyph80/ddetr_forget_80-*.py`:\n\n'
                     + _table('classes', rows))
    return '\n'.join(parts)


def _one_title(name: str, record: dict) -> str:
    kind = ', linear erasure' if name.endswith('_linear') else ''
    return (f'{name.split("_")[2]}{kind}, {record["tasks"][0]["images_seen"]:,} images')


_FFNS = 'FFNs of encoder and decoder'
_TOWERS = 'convolutions of neck and towers'
_FCS = 'hidden fully connected layers of the box head'
# Detector, what LoRA adapts by default, and the record of its 80-5 on Glyph80.
_DETECTORS = (
    ('Deformable DETR', _FFNS, 'others/deformable-detr_forget_80-5_glyph80'),
    ('the same with a softmax over all classes', _FFNS,
     'others/deformable-detr-softmax_forget_80-5_glyph80'),
    ('DINO', _FFNS, 'others/dino_forget_80-5_glyph80'),
    ('DETR, Conditional DETR, DAB-DETR, Deformable DETR in two stages', _FFNS, None),
    ('RetinaNet', _TOWERS, 'others/retinanet_forget_80-5_glyph80'),
    ('RTMDet', _TOWERS, 'others/rtmdet_forget_80-5_glyph80'),
    ('FCOS, ATSS, GFL, YOLOX', _TOWERS, None),
    ('Faster R-CNN', _FCS, 'others/faster-rcnn_forget_80-5_glyph80'),
    ('Mask R-CNN, Cascade R-CNN', _FCS, None),
    ('RetinaNet on a Swin Transformer', _TOWERS,
     'others/retinanet-swin_forget_80-5_glyph80'))


def detectors_section() -> str:
    """What is supported, and what was measured of it."""
    titles = ['detector', 'LoRA by default in', 'AP', 'AP_r / original', 'AP_f', 'H / H_max',
              'lost > 0.5']
    return markdown_table(titles, ([name, targets, *_one_request(record)]
                                   for name, targets, record in _DETECTORS))


def _one_request(name: str | None) -> list[str]:
    """The figures of a run of one request."""
    if name is None:
        return ['one step tested', *4 * ['—']]
    record = _record(name)
    row = results_rows(record)[0]
    return [percent(record['original']['AP']), *(percent(row[key]) for key in (
        'AP_retained_relative', 'AP_forgotten', 'H_relative')),
        _lost(record['tasks'][0], '0.5')]


# Runs that were attacked: what was done, and the record of the attacks.
_ATTACKED = (
    ('5 of 80 classes, LinearErasure', 'ddetr_forget_80-5_linear', 1),
    ('10 of 80, LinearErasure', 'ddetr_forget_80-10x7_linear', 1),
    ('10 of 80, GSLoRA', 'ddetr_forget_80-10x7', 1),
    ('70 of 80 in seven requests, LinearErasure', 'ddetr_forget_80-10x7_linear', 7),
    ('70 of 80 in seven requests, GSLoRA', 'ddetr_forget_80-10x7', 7))


def _attacks(name: str) -> list[dict]:
    path = DOCS / f'results/attacks/{name}.json'
    return read_json(path)['attacks'] if path.exists() else []


def attacks_section() -> str:
    """What every attack found, a table a run."""
    parts = []
    for title, name, task in _ATTACKED:
        rows = [row for row in attack_rows(_attacks(name)) if row['task'] == task]
        if rows:
            parts.append(f'{title[0].upper()}{title[1:]}:\n\n' + markdown_table(
                ['attack', 'measured', *DETECTORS], (cells(row)[1:] for row in rows)))
    return '\n'.join(parts)


def readme_section() -> str:
    """Of each run what is kept, gone, and brought back by attacks on the class head."""
    titles = ['request', 'AP_r / original', 'AP_f', 'lost', 'new head', 'oracle', 'head mask']
    rows = []
    for title, name, number in _ATTACKED:
        record = _record(name)
        row, task = results_rows(record)[number - 1], record['tasks'][number - 1]
        found = [each['found'] for each in attack_rows(_attacks(name))
                 if (each['attack'], each['task']) == ('new head', number)]
        most = (max((each[kind] for each in found if each.get(kind) is not None), default=None)
                for kind in ('unlearned', 'oracle', 'head mask'))
        rows.append([title, percent(row['AP_retained_relative']), percent(row['AP_forgotten']),
                     _lost(task, '0.5'), *('—' if value is None else f'{value:.1f}'
                                           for value in most)])
    return markdown_table(titles, rows)


@cache
def _comparison() -> tuple[Comparison, dict]:
    """The comparison and the results of its cells."""
    cfg = Config.fromfile(DOCS.parent / 'configs/glyph80/comparison.py')
    comparison = Comparison(cfg, DOCS / 'results/comparison')
    return comparison, comparison.results(comparison.cells())


def comparison_sections() -> dict[str, str]:
    """All tables of the comparison, what its grids gave, and the tables that matter."""
    comparison, results = _comparison()
    cfg = comparison.cfg
    methods, settings, ablations = list(cfg.methods), list(cfg.settings), list(cfg.ablations)
    compared = [method for method in methods if method not in ablations]
    tuning = tuning_to_markdown(comparison.results(comparison.tuning_cells()))
    five, seven = (by_method(results, name) for name in ('80-5', SEQUENCE))
    theirs = [setting for setting in settings if "authors' reading" in setting]
    with_theirs = {cell.method for cell in results if cell.setting in theirs}
    own = [setting for setting in settings if setting not in theirs]
    best = leading(five, [m for m in five if m.startswith(('GSLoRA', 'LinearErasure'))
                          or m in cfg.unranked or 'budget' in cfg.methods[m]], 2)
    published = "GSLoRA, paper's loss"
    measured = ('H', 'H/H_max', 'AP_r', 'AP_f', 'AP_o', 'blocks', 'lost > 0.5', 'new head',
                'probe')
    return dict(
        methods=setting_table(['Oracle', 'HeadMask', *best, published, *cfg.ours], five, titles=(
            'H/H_max', 'AP_r', 'AP_f', 'lost > 0.5', 'new head', 'probe')),
        tables=to_markdown(methods, settings, results, cfg.unranked, ablations)
        + '\n\n### Tuning\n\n' + tuning,
        five=LEGEND + '\n\n' + setting_table(compared, five, 0, cfg.unranked),
        ablations=setting_table(ablations, five, 0, ablations, measured),
        seven=setting_table(compared, seven, -1, cfg.unranked, measured),
        overview=overview(compared, own, results, cfg.unranked),
        theirs=overview([method for method in compared if method in with_theirs], theirs,
                        results, cfg.unranked))


def updated() -> dict[Path, str]:
    """The pages with their sections in place."""
    sections = dict(results=results_section(), detectors=detectors_section(),
                    attacks=attacks_section(), readme=readme_section(),
                    **comparison_sections())
    pages = {}
    for path in (DOCS.parent / 'README.md', *(DOCS / f'{name}.md' for name in (
            'results', 'detectors', 'comparison', 'comparison-tables', 'attacks'))):
        text = path.read_text('utf-8')
        for name, section in sections.items():
            begin, end = f'<!-- {name}: begin -->\n', f'<!-- {name}: end -->\n'
            if begin in text:
                head, rest = text.split(begin)
                text = head + begin + section + end + rest.split(end)[1]
        pages[path] = text
    return pages


def draw_sequence() -> None:
    """Draws the curves of the comparison's sequence."""
    comparison, results = _comparison()
    cfg = comparison.cfg
    found = by_method(results, SEQUENCE)
    draw_curves(list(cfg.methods), found, DOCS / 'comparison_curves.png', cfg.ours,
                cfg.unranked)


if __name__ == '__main__':
    for page, content in updated().items():
        page.write_text(content, 'utf-8')
    draw_sequence()
