import re
import runpy

from mmengine.config import Config
from support import CHECKPOINT, ROOT

from gslora_det.comparison import Cell, Comparison


def test_results_are_generated_from_the_records():
    script = runpy.run_path(str(ROOT / 'docs/update_results.py'))
    for page, content in script['updated']().items():
        assert content == page.read_text('utf-8'), page


def test_the_objects_lost_are_those_of_the_report():
    report = (ROOT / 'docs/report.html').read_text('utf-8')
    sentence = re.search(r'Of the (\d+) retained objects .*? it now finds (\d+)', report)
    found, still = map(int, sentence.groups())
    assert f'{found - still} of {found}' in (ROOT / 'docs/results.md').read_text('utf-8')


def test_the_comparison_uses_what_tuning_chose():
    """The highest H; what is used may stay where it is, behind it by less than chance."""
    comparison = Comparison(Config.fromfile(ROOT / 'configs/glyph80/comparison.py'),
                            ROOT / 'docs/results/comparison')
    for method in comparison.cfg.grids:
        cells = comparison.tuning_cells([method])
        hs = {cell: result['tasks'][0]['metrics']['H']
              for cell, result in comparison.results(cells).items()}
        if len(hs) == len(cells):
            used = comparison.config(Cell('80-5', method, 0))
            assert any(_same(comparison.config(cell), used) for cell, h in hs.items()
                       if h >= max(hs.values()) - 0.001), method


def _same(one, other):
    return one.sequence.mixed_images == other.sequence.mixed_images and all(
        one[part] == other[part] for part in ('method', 'optim_wrapper', 'param_scheduler'))


def test_the_five_lines_run(plain_config, tmp_path, monkeypatch):
    """As they are printed, but for the names, and fewer steps and attacks."""
    example, = re.findall(r'```python\n(.*?)```', (ROOT / 'README.md').read_text('utf-8'), re.S)
    for there, here in (
            ("'my_detector.py', 'my_checkpoint.pth', classes=['face']",
             f"'{plain_config}', '{CHECKPOINT}', ['Latin a'], iters=2, pictures=0"),
            ("'new head', 'prototype head'", "'as it is'")):
        assert there in example
        example = example.replace(there, here)
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(example, names)
    assert names['erasure'].weights.is_file()
    assert (names['erasure'].work_dir / 'report.html').is_file()
