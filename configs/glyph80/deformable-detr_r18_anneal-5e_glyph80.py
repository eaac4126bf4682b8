# Stage 3 of the Glyph80 detector: stage 2 annealed to zero in five epochs. This is what
# checkpoints/deformable-detr_r18_glyph80.pth holds.
_base_ = './deformable-detr_r18_6e_glyph80.py'

load_from = 'work_dirs/deformable-detr_r18_6e_glyph80/epoch_6.pth'
train_cfg = dict(max_epochs=5, val_interval=5)
optim_wrapper = dict(optimizer=dict(lr=4e-4))  # where stage 2 ends
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=50),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=50, end=1250, eta_min=0)
]
randomness = dict(seed=1)  # other batches than in stage 2
