# Stage 2 of the detector of the aquarium: once more from a high learning rate down to zero.
_base_ = './deformable-detr_lite0_aquarium.py'
load_from = 'work_dirs/deformable-detr_lite0_aquarium/epoch_12.pth'
train_cfg = dict(max_epochs=16, val_interval=4)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=100),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=100, end=16 * 112, eta_min=1e-6)
]
