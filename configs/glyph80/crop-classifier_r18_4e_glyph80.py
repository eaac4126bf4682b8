# Stage 1 of the Glyph80 detector: its backbone learns to tell single glyphs apart.
_base_ = ['../_base_/runtime.py', '../_base_/models/deformable-detr_r18_glyph80.py']

model = dict(
    _delete_=True,
    type='CropClassifier',
    backbone={{_base_.model.backbone}},
    in_channels=256,
    num_classes=80,
    data_preprocessor=dict(
        type='ImgDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True))
train_dataloader = dict(
    batch_size=256,
    collate_fn=dict(type='default_collate'),
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(type='GlyphCrops', num_crops=50000))

train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=4)
optim_wrapper = dict(
    type='OptimWrapper', optimizer=dict(type='AdamW', lr=2e-3, weight_decay=1e-2))
param_scheduler = dict(
    type='OneCycleLR', eta_max=2e-3, total_steps=4 * 196, by_epoch=False)
