"""Who asked is recorded when a run begins; what contradicts that is refused."""

import pytest

from gslora_det.engine.filing import filled_in
from gslora_det.engine.record import load_record, new_record, read_record, run_id, save_record
from gslora_det.engine.sequence import UnlearningSequence


def given(**texts):
    return dict(dict(requester=None, request_id=None, operator=None), **texts)


def test_what_a_record_lacks_is_filled_in():
    assert filled_in(dict(filing=given()), dict(requester='A'), 'run') == given(requester='A')
    known = dict(filing=given(requester='A', operator='B'))
    assert filled_in(known, given(requester='A', request_id='7'), 'run') == given(
        requester='A', request_id='7', operator='B')
    with pytest.raises(ValueError, match="^operator is 'C', but run was begun with 'B': leave"):
        filled_in(known, given(operator='C'), 'run')


def test_a_run_records_it_and_a_resumption_may_add_but_not_change_it(config, tmp_path):
    cfg = config(tmp_path, **{'sequence.requester': 'A. Person', 'sequence.request_id': '2026-17'})
    sequence = UnlearningSequence(cfg)
    filing = given(requester='A. Person', request_id='2026-17')
    assert sequence.record['filing'] == filing
    sequence.record['original'] = dict(AP=0.5)  # as if it was measured
    save_record(tmp_path, sequence.record)
    begun = read_record(tmp_path)
    cfg.sequence.update(operator='B', requester=None)
    again = load_record(tmp_path, new_record(cfg, sequence.plan))
    assert again['filing'] == dict(filing, operator='B')
    assert run_id(again) == run_id(begun)  # still the same run
    cfg.sequence.requester = 'Another'
    with pytest.raises(ValueError, match="requester is 'Another', but .* begun with 'A. Person'"):
        load_record(tmp_path, new_record(cfg, sequence.plan))


def test_other_runs_have_other_ids(config, tmp_path):
    record = UnlearningSequence(config(tmp_path)).record
    begun = dict(record, runs=[dict(started='2026-01-01T00:00:00Z')])
    ended = dict(begun, tasks=[dict(task=1)], runs=[*begun['runs'], dict(started='later')])
    assert run_id(begun) == run_id(ended)
    later = dict(begun, runs=[dict(started='2026-01-01T00:00:01Z')])
    assert len({run_id(r) for r in (record, begun, later, dict(begun, request=[['x']]))}) == 4


@pytest.mark.parametrize('value', [17, '', '  ', ['a']])
def test_what_is_no_text_is_refused(config, tmp_path, value):
    cfg = config(tmp_path / 'run')
    cfg.sequence.request_id = value
    with pytest.raises(ValueError, match='sequence.request_id is .*: set text, in quotes'):
        UnlearningSequence(cfg)
    assert not (tmp_path / 'run').exists()
