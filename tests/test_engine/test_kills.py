import os
import subprocess
import sys

from conftest import ROOT


def test_a_killed_sequence_ends_bit_for_bit_the_same():
    """Two of the kills of tests/kill_test.py, which is run with 50 by hand."""
    result = subprocess.run(
        [sys.executable, ROOT / 'tests/kill_test.py', '--kills', '2'], capture_output=True,
        text=True, timeout=600, env=dict(os.environ, PYTHONPATH=str(ROOT)))
    assert result.returncode == 0, result.stdout + result.stderr
    assert 'PASS: 2 kills' in result.stdout
