# Stage 2 of the Glyph80 detector; starts from the backbone of stage 1.
_base_ = [
    '../_base_/runtime.py', '../_base_/datasets/glyph80_detection_augmented.py',
    '../_base_/models/deformable-detr_r18_glyph80.py'
]

model = dict(
    backbone=dict(
        init_cfg=dict(
            type='Pretrained',
            prefix='backbone.',
            checkpoint='work_dirs/crop-classifier_r18_4e_glyph80/epoch_4.pth')))

# Six epochs of 250 iterations at a high learning rate: the begin of a cosine over twenty.
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=6, val_interval=3)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=5e-4, weight_decay=1e-4),
    clip_grad=dict(max_norm=0.5, norm_type=2))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=100),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=100, end=5000,
         eta_min=1e-6)
]
auto_scale_lr = dict(enable=False, base_batch_size=16)
