import runpy

from conftest import ROOT


def test_results_are_generated_from_the_records():
    script = runpy.run_path(str(ROOT / 'docs/update_results.py'))
    assert script['updated_readme']() == (ROOT / 'README.md').read_text('utf-8')
