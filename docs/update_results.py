"""Writes the results in README.md and docs/ from the records in docs/results/.

Each record is the `sequence.json` of a run; those of `tools/compare.py` are its `cells/`.
Copy new ones there and run this script.
"""

from functools import cache
from pathlib import Path
from typing import Dict, List, Optional, Tuple

from mmengine.config import Config

from gslora_det.comparison import (
    Comparison,
    by_method,
    draw_curves,
    overview,
    to_markdown,
    tuning_to_markdown,
)
from gslora_det.files import read_json
from gslora_det.report import results_rows
from gslora_det.report.tables import markdown_table
from gslora_det.words import percent

DOCS = Path(__file__).parent


def _table(first: str, rows) -> str:
    titles = [first, 'AP_r', 'AP_r / original', 'AP_f', 'AP_o', 'H', 'H / H_max']
    keys = ('AP_retained', 'AP_retained_relative', 'AP_forgotten', 'AP_old', 'H', 'H_relative')
    return markdown_table(titles, ([str(name), *(percent(row[key]) for key in keys)]
                                   for name, row in rows))


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
        'harmonic mean of AP_r and the drop of AP_f, H_max that of a perfect erasure.\n']
    recipes = {
        'ddetr_forget_80-10x7': 'our recipe',
        'ddetr_forget_80-10x7_paper': 'the paper\'s recipe, whose updates are scaled by 1/8 and '
        'which trains for 30 epochs on COCO, in the same 150 steps (with larger steps its terms '
        'do erase: [docs/comparison.md](docs/comparison.md))'}
    for name in _measured(recipes):
        rows = ((row['task'], row) for row in results_rows(_record(name)))
        parts.append(f'Seven requests of ten classes, {recipes[name]}, '
                     f'`configs/glyph80/{name}.py`:\n\n' + _table('task', rows))
    single = _measured(f'ddetr_forget_80-{y}' for y in (1, 5, 40, 70))
    if single:
        rows = ((f'{name.rsplit("_", 1)[-1]}, {record["tasks"][0]["images_seen"]:,} images',
                 results_rows(record)[0]) for name, record in zip(single, map(_record, single)))
        parts.append('One request, `configs/glyph80/ddetr_forget_80-*.py`:\n\n'
                     + _table('classes', rows))
    return '\n'.join(parts)


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


def _one_request(name: Optional[str]) -> List[str]:
    """The figures of a run of one request."""
    if name is None:
        return ['one step tested', *4 * ['—']]
    record = _record(name)
    row, objects = results_rows(record)[0], record['tasks'][0].get('objects')
    lost = '—'
    if objects:
        kept = objects['0.5']['retained']
        lost = f'{100 * (1 - kept["own_name"] / kept["before"]):.1f} %'
    return [percent(record['original']['AP']), *(percent(row[key]) for key in (
        'AP_retained_relative', 'AP_forgotten', 'H_relative')), lost]


@cache
def _comparison() -> Tuple[Comparison, dict]:
    """The comparison and the results of its cells."""
    cfg = Config.fromfile(DOCS.parent / 'configs/glyph80/comparison.py')
    comparison = Comparison(cfg, DOCS / 'results/comparison')
    return comparison, comparison.results(comparison.cells())


def comparison_sections() -> Dict[str, str]:
    """The overview, and all tables of the comparison with what its grids gave."""
    comparison, results = _comparison()
    cfg = comparison.cfg
    names = list(cfg.methods), list(cfg.settings)
    tuning = tuning_to_markdown(comparison.results(comparison.tuning_cells()))
    return dict(overview=overview(*names, results, cfg.controls),
                tables=to_markdown(*names, results, cfg.controls) + '\n### Tuning\n\n' + tuning)


def updated() -> Dict[Path, str]:
    """The pages with their sections in place."""
    sections = dict(results=results_section(), detectors=detectors_section(),
                    **comparison_sections())
    pages = {}
    for path in (DOCS.parent / 'README.md', DOCS / 'comparison.md'):
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
    draw_curves(list(comparison.cfg.methods), by_method(results, '80-10x7'),
                DOCS / 'comparison_curves.png')


if __name__ == '__main__':
    for page, content in updated().items():
        page.write_text(content, 'utf-8')
    draw_sequence()
