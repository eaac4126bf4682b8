# The RetinaNet of Glyph80, from the backbone of the Deformable DETR of Glyph80. This is what
# checkpoints/retinanet_r18_glyph80.pth holds.
_base_ = [
    '../_base_/runtime.py', '../_base_/datasets/glyph80_detection_augmented.py',
    '../_base_/models/retinanet_r18_glyph80.py', '../_base_/schedules/glyph80_6e.py'
]

model = dict(
    backbone=dict(
        init_cfg=dict(
            type='Pretrained',
            prefix='backbone.',
            checkpoint='checkpoints/deformable-detr_r18_glyph80.pth')))
