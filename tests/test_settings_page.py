import inspect
import runpy

import pytest
from support import ROOT

from gslora_det.checks.config import method_options, sequence_settings
from gslora_det.checks.settings import SequenceSettings
from gslora_det.datasets import BranchDataset
from gslora_det.datasets.branch_dataset import READINGS
from gslora_det.datasets.selection import BUFFER
from gslora_det.registry import ATTACKS, METHODS


@pytest.fixture(scope='module')
def script():
    return runpy.run_path(str(ROOT / 'docs/update_settings.py'))


@pytest.fixture(scope='module')
def page():
    return (ROOT / 'docs/settings.md').read_text('utf-8')


def settings_in(text):
    return {line.split('`')[1] for line in text.splitlines() if line.startswith('| `')}


def test_the_page_is_what_the_code_says(script, page):
    assert script['updated']() == page


def test_every_setting_of_a_sequence_that_is_checked_is_described(page):
    text = page.split('## sequence\n')[1].split('\n## ')[0]
    assert settings_in(text) == {*sequence_settings(), *BUFFER} and '`batch_size`' in text


@pytest.mark.parametrize('name', METHODS.module_dict)
def test_every_option_that_a_method_takes_is_described(page, name):
    """Under its own heading, or under that of a base, to which it links."""
    found, heading = set(), name
    while heading:
        text = page.split(f'### {heading}\n')[1].split('\n##')[0]
        found |= settings_in(text)
        heading = next(iter(text.split('And the settings of [')[1:]), '').split(']')[0]
    assert found == set(method_options(METHODS.get(name)))


def test_every_attack_is_described(page):
    assert settings_in(page.split('## Attacks\n')[1]) == {
        attack.name for attack in ATTACKS.module_dict.values()}


def test_defaults_are_those_of_what_reads_them():
    parameters = inspect.signature(BranchDataset).parameters
    for name in READINGS:
        assert getattr(SequenceSettings, name) == parameters[name].default


@pytest.mark.parametrize('doc, missing', [
    ('Does it.\n\nArgs:\n    rate (float): How fast.\n', 'size'), ('', 'rate')])
def test_what_is_not_described_is_refused(script, doc, missing):
    def thing(rate, size):
        pass

    thing.__doc__ = doc
    with pytest.raises(ValueError, match=f'thing lacks {missing}'):
        script['rows'](thing, dict(rate=1, size=2))
