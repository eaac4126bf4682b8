# A RetinaNet in miniature, for photographs on a CPU.
_base_ = './retinanet_r18_glyph80.py'

model = dict(
    data_preprocessor=dict(
        mean=[127.0, 127.0, 127.0],  # as its backbone was trained
        std=[128.0, 128.0, 128.0],
        pad_size_divisor=32),
    backbone=dict(
        _delete_=True,
        type='EfficientNetLite0',
        out_indices=(3, 4, 5),
        frozen_stages=3,
        norm_eval=True),
    neck=dict(in_channels=[40, 112, 320]),
    bbox_head=dict(
        num_classes=7,
        anchor_generator=dict(
            _delete_=True,
            type='AnchorGenerator',
            octave_base_scale=2,  # many objects are small
            scales_per_octave=3,
            ratios=[0.5, 1.0, 2.0],
            strides=[8, 16, 32])),
    test_cfg=dict(nms_pre=300))
