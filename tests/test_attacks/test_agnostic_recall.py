"""Objects that are detected as anything, counted by hand."""

from types import SimpleNamespace

import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData

from gslora_det.attacks.agnostic_recall import AgnosticRecall
from gslora_det.attacks.base import Target

BOXES = [[0, 0, 10, 10], [20, 0, 30, 10], [40, 0, 50, 10], [60, 0, 70, 10], [80, 0, 90, 10]]


def planted(objects, detections):
    """A material of one image a list, of objects and of what a detector finds there.

    An object is (place, label, crowd); a detection is (place, how far to the right, label,
    score).
    """
    found = []
    for each in detections:
        boxes = torch.tensor([BOXES[place] for place, *_ in each]).reshape(-1, 4).float()
        boxes[:, ::2] += torch.tensor([shift for _, shift, *_ in each])[:, None]
        found.append(DetDataSample(pred_instances=InstanceData(
            bboxes=boxes, labels=torch.tensor([label for *_, label, _ in each]).long(),
            scores=torch.tensor([score for *_, score in each]).float())))
    infos = [dict(instances=[dict(bbox=BOXES[place], bbox_label=label, ignore_flag=int(crowd))
                             for place, label, crowd in each]) for each in objects]
    return SimpleNamespace(
        detector=lambda weights: None, prefix=lambda detector: None, classes='abcde',
        found=lambda detector, prefix: iter(found),
        val=SimpleNamespace(get_data_info=infos.__getitem__))


def test_recall_and_names():
    objects = [[(0, 3, False), (1, 3, False), (2, 4, False), (3, 0, False), (4, 3, True)],
               [(0, 4, False)], [(0, 3, False)]]
    detections = [
        [(0, 1, 1, 0.5), (0, 0, 2, 0.4),  # the first has two names, the better is b
         (1, 6, 1, 0.9),  # IoU 4 / 16
         (2, 3, 4, 0.25),  # IoU 7 / 13, at a low score
         (3, 0, 3, 0.9)],  # an object that is kept
        [(0, 0, 1, 0.35), (0, 0, 4, 0.2)], []]
    point, = AgnosticRecall(planted(objects, detections)).run(Target('', {}, [3, 4]))
    # Of five erased objects two are found above 0.3, and one more at any score.
    assert point == dict(x=0.3, recall=40.0, recall_of_all=60.0, names={'b': 2})


def test_the_five_most_frequent_names():
    counts = {0: 4, 1: 1, 2: 3, 3: 2, 4: 5}
    labels = [label for label, count in counts.items() for _ in range(count)]
    material = planted([[(0, 3, False)]] * 16, [[(0, 0, label, 0.9)] for label in labels] + [[]])
    material.classes = 'abcdefg'
    point, = AgnosticRecall(material).run(Target('', {}, [3]), score_thr=0.8)
    assert list(point['names'].items()) == [('e', 5), ('a', 4), ('c', 3), ('d', 2), ('b', 1)]
    assert point['recall'] == 93.75  # 15 of 16


def test_a_score_at_the_threshold_is_not_above_it():
    material = planted([[(0, 3, False), (1, 3, False)]], [[(0, 0, 1, 0.5), (1, 0, 2, 0.625)]])
    point, = AgnosticRecall(material).run(Target('', {}, [3]), score_thr=0.5)
    assert point == dict(x=0.5, recall=50.0, recall_of_all=100.0, names={'c': 1})


def test_hidden_objects_are_called_something_else(material, original, hidden):
    before, = AgnosticRecall(material).run(Target('original', original, hidden.classes))
    after, = AgnosticRecall(material).run(hidden)
    erased = {material.classes[label] for label in material.erased}
    assert set(before['names']) <= erased and before['recall'] > 80
    assert erased.isdisjoint(after['names']) and after['recall'] < before['recall']
    assert after['recall_of_all'] > 80
