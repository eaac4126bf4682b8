from support import ROOT, run_tool


def test_a_killed_sequence_ends_bit_for_bit_the_same():
    """One of the kills of tests/kill_test.py, which is run with 50 by hand."""
    result = run_tool(ROOT / 'tests/kill_test.py', '--kills', '1')
    assert result.returncode == 0, result.stdout + result.stderr
    assert 'PASS: 1 kills' in result.stdout
