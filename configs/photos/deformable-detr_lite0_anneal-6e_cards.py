# Stage 2 of the detector of the cards: down to a learning rate of zero in six epochs.
_base_ = './deformable-detr_lite0_cards.py'
load_from = 'work_dirs/deformable-detr_lite0_cards/epoch_12.pth'
train_cfg = dict(max_epochs=6, val_interval=3)
optim_wrapper = dict(optimizer=dict(lr=2.5e-4))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=20),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=20, end=6 * 74, eta_min=1e-6)
]
