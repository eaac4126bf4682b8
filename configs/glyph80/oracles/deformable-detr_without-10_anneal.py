# Stage 3 of an oracle. This is what
# checkpoints/deformable-detr_r18_glyph80_without-10.pth holds.
_base_ = ['../deformable-detr_r18_anneal-5e_glyph80.py', './without-10.py']

model = dict(backbone=dict(init_cfg=None))  # all weights are those of stage 2
load_from = 'work_dirs/deformable-detr_without-10/epoch_6.pth'
train_dataloader = dict(dataset=dict(without={{_base_.without}}))
