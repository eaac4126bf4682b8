"""The record of attacks is read whole or refused, and belongs to its sequence."""

import json

import pytest

from gslora_det.engine.attack_record import FILE_NAME, check_attacks, read_attacks

ENTRY = dict(
    task=1, attack='as it is', setting='', detector='unlearned', seed=0, title='', x_title='',
    chance=0.0, measures='AP_forgotten', finds_hidden=False, needs_original=False,
    curve=[dict(x=0, AP_forgotten=1.5)])
GOOD = dict(format_version=1, detectors={'original': 'a', 'task 1': 'b'}, attacks=[ENTRY])
SEQUENCE = dict(weights=dict(file='start.pth', sha256='a'),
                tasks=[dict(task=1, merged=dict(sha256='b'))])


def read(folder, content):
    (folder / FILE_NAME).write_text(json.dumps(content))
    return read_attacks(folder)


def test_what_is_there_is_read(tmp_path):
    assert read_attacks(tmp_path) is None
    assert read(tmp_path, GOOD) == GOOD


@pytest.mark.parametrize('content', [
    [], dict(GOOD, format_version=2), dict(GOOD, attacks={}), dict(GOOD, detectors=[]),
    dict(format_version=1, detectors={}), dict(GOOD, attacks=[[]]),
    *(dict(GOOD, attacks=[dict(ENTRY, **{key: None})]) for key in ENTRY),
    dict(GOOD, attacks=[dict(ENTRY, measures='AUC')]),
    dict(GOOD, attacks=[dict(ENTRY, curve=[dict(x='0', AP_forgotten=1.5)])]),
    dict(GOOD, attacks=[dict(ENTRY, curve=[dict(x=0, AP_forgotten=None)])])])
def test_what_is_damaged_gives_one_line(tmp_path, content):
    with pytest.raises(ValueError, match='^.*attacks.json is no record of attacks .* again$'):
        read(tmp_path, content)


@pytest.mark.parametrize('changes, name', [
    (dict(weights=dict(sha256='c')), 'original'), (dict(weights=dict(sha256=None)), 'original'),
    (dict(original_weights=dict(sha256='c')), 'original'),
    (dict(tasks=[dict(task=1, merged=dict(sha256='c'))]), 'task 1'), (dict(tasks=[]), 'task 1')])
def test_attacks_on_other_weights_are_refused(tmp_path, changes, name):
    check_attacks(tmp_path, GOOD, SEQUENCE)
    with pytest.raises(ValueError, match=rf'other weights than the sequence \({name}\)'):
        check_attacks(tmp_path, GOOD, dict(SEQUENCE, **changes))


def test_detectors_that_no_attack_is_recorded_of_do_not_matter(tmp_path):
    more = dict(GOOD, detectors={**GOOD['detectors'], 'task 3': 'x'})
    check_attacks(tmp_path, more, SEQUENCE)
    check_attacks(tmp_path, dict(GOOD, attacks=[]), dict(SEQUENCE, tasks=[]))
