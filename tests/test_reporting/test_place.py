"""A report replaces an earlier report of the same runs, and nothing else."""

import pytest
from hand_record import SUCCESS, record

from gslora_det.reporting import Run, render_report
from gslora_det.reporting.place import check_place, runs_of

A, B = 'a' * 64, 'b' * 64


def page(*ids):
    return render_report([Run(f'run {i}', record(SUCCESS), id=i) for i in ids])


@pytest.mark.parametrize('content, run_ids, allowed', [
    (None, [A], True), (page(A), [A], True), (page(A, B), [B, A], True),
    (page(A), [B], False), (page(A, B), [A], False), (page(A), [A, B], False),
    ('<html>notes of mine</html>', [A], False), ('', [A], False),
    (page(A).replace('gslora_det report', 'another'), [A], False),
    ('x' * 5000 + page(A), [A], False)])
def test_only_a_report_of_the_same_runs_is_replaced(tmp_path, content, run_ids, allowed):
    path = tmp_path / 'report.html'
    if content is not None:
        path.write_text(content, 'utf-8')
    if allowed:
        check_place(path, run_ids)
    else:
        with pytest.raises(ValueError, match='is there and not an earlier report of the same run'):
            check_place(path, run_ids)
    assert content is None or path.read_text('utf-8') == content


def test_binary_files_are_no_reports(tmp_path):
    (tmp_path / 'a.png').write_bytes(bytes(range(256)))
    assert runs_of(tmp_path / 'a.png') == set()
