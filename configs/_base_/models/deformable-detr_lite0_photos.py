# A Deformable DETR in miniature, for photographs of 256 pixels on a CPU.
_base_ = './deformable-detr_r18_glyph80.py'

model = dict(
    data_preprocessor=dict(
        mean=[127.0, 127.0, 127.0],  # as its backbone was trained
        std=[128.0, 128.0, 128.0],
        pad_size_divisor=256),  # all of one size: what is remembered of an image fits
    backbone=dict(
        _delete_=True,
        type='EfficientNetLite0',
        out_indices=(3, 4, 5),
        frozen_stages=4,  # up to stride 8
        norm_eval=True),
    neck=dict(in_channels=[40, 112, 320]),
    num_queries=50)
