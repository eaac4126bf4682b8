# The RTMDet of Glyph80, from the backbone of the Deformable DETR of Glyph80. This is what
# checkpoints/rtmdet_r18_glyph80.pth holds.
_base_ = [
    '../_base_/runtime.py', '../_base_/datasets/glyph80_detection_augmented.py',
    '../_base_/models/rtmdet_r18_glyph80.py', '../_base_/schedules/glyph80_6e.py'
]

model = dict(
    backbone=dict(
        init_cfg=dict(
            type='Pretrained',
            prefix='backbone.',
            checkpoint='checkpoints/deformable-detr_r18_glyph80.pth')))
train_cfg = dict(max_epochs=4, val_interval=2)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=100),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=100, end=4 * 250, eta_min=0)
]
