# Mask R-CNN Swin-T of MMDetection on COCO: five of 80 classes are erased, the tail of the
# class order that seed 123 shuffles. The recipe is Glyph80's: COCO was not at hand to try it.
_base_ = [
    '../_base_/runtime.py', '../_base_/datasets/coco_detection.py',
    '../_base_/methods/gs-lora_softmax.py'
]

from mmengine.hub import get_config  # noqa: E402

model = get_config('mmdet::swin/mask-rcnn_swin-t-p4-w7_fpn_1x_coco.py').model
model.backbone.init_cfg = None  # the weights are those of load_from

# LoRA in the FFNs of the Swin blocks.
method = dict(targets=['backbone.stages.*.blocks.*.ffn.layers.*'])
# Its loss needs masks.
train_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='LoadAnnotations', with_bbox=True, with_mask=True),
            dict(type='Resize', scale=(1333, 800), keep_ratio=True),
            dict(type='PackDetInputs')
        ]))

sequence = dict(order=123, num_tasks=1, classes_per_task=5)
load_from = (
    'https://download.openmmlab.com/mmdetection/v2.0/swin/mask_rcnn_swin-t-p4-w7_fpn_1x_coco/'
    'mask_rcnn_swin-t-p4-w7_fpn_1x_coco_20210902_120937-9d6b7cfa.pth')
