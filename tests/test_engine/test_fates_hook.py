"""Objects that an erasure costs or renames are counted in every run."""

import numpy as np
import pytest

from gslora_det.engine.predict import predict
from gslora_det.files import read_json


def iou(a, b):
    low, high = np.maximum(a[:2], b[:2]), np.minimum(a[2:], b[2:])
    common = (high - low).clip(0).prod()
    return common / ((a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod() - common)


def found(prediction, score_thr):
    """By object: is it found as its class? Detections take objects by falling score."""
    objects, detections = prediction.objects, prediction.detections
    free, taken = set(range(len(objects.labels))), set()
    for i in np.argsort(-detections.scores, kind='stable'):
        best = max((o for o in free if objects.labels[o] == detections.labels[i]),
                   key=lambda o: iou(objects.bboxes[o], detections.bboxes[i]), default=None)
        if best is not None and detections.scores[i] > score_thr and iou(
                objects.bboxes[best], detections.bboxes[i]) >= 0.5:
            free.remove(best)
            taken.add(best)
    return taken


@pytest.mark.parametrize('task', [1, 2])
def test_counts_are_those_of_both_detectors_run_again(finished, config, tmp_path, task):
    cfg = config(tmp_path)
    record = read_json(finished / 'sequence.json')
    classes = list(record['original']['per_class'])
    erased = {classes.index(name) for names in record['request'][:task] for name in names}
    before, after = (predict(cfg, str(weights)) for weights in (
        cfg.load_from, finished / f'task_{task}/merged.pth'))
    for score_thr in (0.3, 0.5):
        counts = record['tasks'][task - 1]['objects'][str(score_thr)]
        expected = dict(retained=[0, 0], erased=[0, 0])  # found before, and still
        for image, prediction in before.items():
            first, now = found(prediction, score_thr), found(after[image], score_thr)
            for index in first:
                gone = prediction.objects.labels[index] in erased
                expected['erased' if gone else 'retained'][0] += 1
                expected['erased' if gone else 'retained'][1] += index in now
        of_erased = [sum(counts[role][key] for role in ('forgotten', 'old'))
                     for key in ('before', 'own_name')]
        assert [counts['retained'][key] for key in ('before', 'own_name')] == expected['retained']
        assert of_erased == expected['erased'] and min(expected['retained']) > 0
