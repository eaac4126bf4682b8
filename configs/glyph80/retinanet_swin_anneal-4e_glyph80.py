# Stage 2 of the Swin detector of Glyph80: four epochs more, from a high learning rate to zero
# again. This is what checkpoints/retinanet_swin_glyph80.pth holds.
_base_ = './retinanet_swin_8e_glyph80.py'

load_from = 'work_dirs/retinanet_swin_8e_glyph80/epoch_8.pth'
train_cfg = dict(max_epochs=4)
optim_wrapper = dict(optimizer=dict(lr=8e-4))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=50),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=50, end=4 * 250, eta_min=0)
]
randomness = dict(seed=1)  # other batches than in stage 1
