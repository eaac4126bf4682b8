import pytest

from gslora_det.engine.record import with_h


def test_h_is_of_what_is_kept_now_and_h_max_of_what_there_was():
    """Of 0.3 and 0.5 - 0.3, and of 0.5 and 0.5; of 0.6 and 0.4 - 0.1, and of 0.9 and 0.4."""
    now = dict(AP_retained=0.3, AP_forgotten=0.3, AP_old=None,
               reference=dict(AP_retained=0.6, AP_forgotten=0.1))
    before = dict(AP_retained=0.5, AP_forgotten=0.5, AP_old=None,
                  reference=dict(AP_retained=0.9, AP_forgotten=0.4))
    found = with_h(now, before)
    assert found['reference'] == dict(
        now['reference'], H=pytest.approx(0.4), H_max=pytest.approx(0.72 / 1.3))
    assert (found['H'], found['H_max']) == pytest.approx((0.24, 0.5))
