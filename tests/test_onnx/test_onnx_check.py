import numpy as np
import pytest

pytest.importorskip('onnxruntime', reason='onnxruntime is not installed: pip install -e ".[onnx]"')

from gslora_det.evaluation import Detections  # noqa: E402
from gslora_det.onnx.check import difference  # noqa: E402

BOXES = np.array([[0, 0, 10, 20], [30, 40, 50, 60], [2, 2, 9, 18]], float)
SCORES = np.array([0.9, 0.5, 0.3])
LABELS = np.array([4, 0, 4])


def changed(field, index, by):
    values = dict(bboxes=BOXES, scores=SCORES, labels=LABELS)
    values[field] = values[field].copy()
    values[field][index] += by
    return Detections(**values)


SAME = Detections(BOXES, SCORES, LABELS)
NONE = Detections(np.zeros((0, 4)), np.zeros(0), np.zeros(0, int))
SHUFFLED = Detections(*(field[[2, 0, 1]] for field in SAME))
WITHOUT_LAST = Detections(*(field[:2] for field in SAME))


@pytest.mark.parametrize('other, most, score_thr, expected', [
    (SAME, 100, 0.05, 0), (SHUFFLED, 100, 0.05, 0),
    (changed('bboxes', (1, 2), 0.25), 100, 0.05, 0.25),
    (changed('scores', 2, -0.125), 100, 0.05, 0.125),
    # No counterpart in its class: by as much its score had to fall to be left out.
    (changed('labels', 1, 1), 100, 0.05, 0.45),
    (WITHOUT_LAST, 100, 0.05, 0.25), (WITHOUT_LAST, 100, 0.2999, 0.0001),
    (NONE, 100, 0.05, 0.85),
    # In full lists of three: by as much as the last one that is kept has.
    (changed('labels', 2, 1), 3, 0, 0), (changed('labels', 1, 1), 3, 0, 0.2)])
def test_difference(other, most, score_thr, expected):
    for pair in ((SAME, other), (other, SAME)):
        assert difference(*pair, most, score_thr) == pytest.approx(expected, abs=1e-9)


def test_not_a_number_is_not_equal():
    assert not difference(SAME, changed('bboxes', (0, 0), np.nan), 100, 0.05) <= 1e9
    assert difference(NONE, NONE, 100, 0.05) == 0
