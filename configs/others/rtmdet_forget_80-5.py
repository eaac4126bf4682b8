# RTMDet-s of MMDetection on COCO: five of 80 classes are erased, the tail of the
# class order that seed 123 shuffles. The recipe is Glyph80's: COCO was not at hand to try it.
_base_ = [
    '../_base_/runtime.py', '../_base_/datasets/coco_detection.py',
    '../_base_/methods/gs-lora_dense.py'
]

from mmengine.hub import get_config  # noqa: E402

model = get_config('mmdet::rtmdet/rtmdet_s_8xb32-300e_coco.py').model
model.backbone.init_cfg = None  # the weights are those of load_from

# The images as RTMDet is tested on them, for training as for evaluation.
_resize = [
    dict(type='Resize', scale=(640, 640), keep_ratio=True),
    dict(type='Pad', size=(640, 640), pad_val=dict(img=(114, 114, 114)))
]
_meta = ('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor')
train_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='LoadAnnotations', with_bbox=True), *_resize,
            dict(type='PackDetInputs')
        ]))
val_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(type='LoadImageFromFile'), *_resize,
            dict(type='LoadAnnotations', with_bbox=True),
            dict(type='PackDetInputs', meta_keys=_meta)
        ]))
test_dataloader = val_dataloader

sequence = dict(order=123, num_tasks=1, classes_per_task=5)
load_from = (
    'https://download.openmmlab.com/mmdetection/v3.0/rtmdet/rtmdet_s_8xb32-300e_coco/'
    'rtmdet_s_8xb32-300e_coco_20220905_161602-387a891e.pth')
