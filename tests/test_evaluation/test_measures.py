import gslora_det  # noqa: F401  stands in for mmcv's ops before MMDet is imported

# isort: split
import pytest

from gslora_det.evaluation import h_mean, ratio


def test_published_values():
    # GS-LoRA, Table 2, 80-1: AP_f falls from 57.1 to 0.4 and AP_r is 44.5.
    assert h_mean(44.5, 57.1, 0.4) == pytest.approx(49.9, abs=0.05)
    assert h_mean(0.445, 0.571, 0.004) == pytest.approx(0.499, abs=5e-4)


def test_nothing_dropped_is_zero():
    assert h_mean(0.4, 0.3, 0.3) == 0
    assert h_mean(0.4, 0.3, 0.5) == 0
    assert h_mean(0.0, 0.3, 0.3) == 0


@pytest.mark.parametrize(
    'values', [(None, 0.5, 0.1), (0.4, None, 0.1), (0.4, 0.5, None)]
)
def test_not_measured_is_none(values):
    assert h_mean(*values) is None


@pytest.mark.parametrize('value, whole, expected', [
    (0.01, 0.02, 0.5), (0.01, 0.0199, None), (0.5, 0.25, 2.0), (0.0, 0.2, 0.0),
    (None, 0.2, None), (0.1, None, None)])
def test_a_ratio_needs_a_whole_of_two_percent(value, whole, expected):
    assert ratio(value, whole) == expected
