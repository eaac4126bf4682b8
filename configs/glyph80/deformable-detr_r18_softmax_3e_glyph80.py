# The softmax Deformable DETR of Glyph80, from the weights of the sigmoid one, which fit but
# for the class layers. This is what checkpoints/deformable-detr_r18_softmax_glyph80.pth holds.
_base_ = [
    '../_base_/runtime.py', '../_base_/datasets/glyph80_detection_augmented.py',
    '../_base_/models/deformable-detr_r18_softmax_glyph80.py',
    '../_base_/schedules/glyph80_6e.py'
]

load_from = 'checkpoints/deformable-detr_r18_glyph80.pth'
train_cfg = dict(max_epochs=3)
optim_wrapper = dict(
    optimizer=dict(lr=3e-4, weight_decay=1e-4), clip_grad=dict(max_norm=0.5))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=50),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=50, end=3 * 250, eta_min=0)
]
