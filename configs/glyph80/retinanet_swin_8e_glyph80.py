# Stage 1 of the Swin detector of Glyph80: its backbone learns from scratch, in front of the
# neck and the head of the RetinaNet with a ResNet, whose maps have as many channels. On single
# glyphs, as the ResNet did, it had learnt nothing after 28 800 of them; that was stopped there.
_base_ = [
    '../_base_/runtime.py', '../_base_/datasets/glyph80_detection_augmented.py',
    '../_base_/models/retinanet_swin_glyph80.py', '../_base_/schedules/glyph80_6e.py'
]

load_from = 'checkpoints/retinanet_r18_glyph80.pth'
train_cfg = dict(max_epochs=8, val_interval=4)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=100),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=100, end=8 * 250, eta_min=0)
]
