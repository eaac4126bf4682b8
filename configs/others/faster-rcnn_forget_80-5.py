# Faster R-CNN R50 of MMDetection on COCO: five of 80 classes are erased, the tail of the
# class order that seed 123 shuffles. The recipe is Glyph80's: COCO was not at hand to try it.
_base_ = [
    '../_base_/runtime.py', '../_base_/datasets/coco_detection.py',
    '../_base_/methods/gs-lora_softmax.py'
]

from mmengine.hub import get_config  # noqa: E402

model = get_config('mmdet::faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py').model
model.backbone.init_cfg = None  # the weights are those of load_from

sequence = dict(order=123, num_tasks=1, classes_per_task=5)
load_from = (
    'https://download.openmmlab.com/mmdetection/v2.0/faster_rcnn/faster_rcnn_r50_fpn_1x_coco/'
    'faster_rcnn_r50_fpn_1x_coco_20200130-047c8118.pth')
