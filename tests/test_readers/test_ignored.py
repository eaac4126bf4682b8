import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from pycocotools.mask import iou

from gslora_det.readers.base import on_ignored


def test_in_a_crowd_is_what_coco_calls_so():
    boxes = torch.tensor([[100., 100, 130, 160], [390., 100, 430, 160], [380., 0, 410, 40],
                          [0., 0, 400, 200], [0., 0, 1000, 200]])
    region = torch.tensor([[0., 0, 400, 200]])

    def found(label):
        sample = DetDataSample(ignored_instances=InstanceData(
            bboxes=region, labels=torch.tensor([label])))
        return on_ignored(boxes[None], [sample])[0].tolist()

    def coco(is_crowd):
        given, where = (torch.cat([b[:, :2], b[:, 2:] - b[:, :2]], 1).double().numpy()
                        for b in (boxes, region))
        return (iou(given, where, [is_crowd]) >= 0.5)[:, 0].tolist()

    assert found(-1) == coco(1) == [True, False, True, True, False]
    assert found(3) == coco(0) == [False, False, False, True, False]
