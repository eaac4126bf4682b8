# Stage 2 of an oracle, with the budget of the original.
_base_ = ['../deformable-detr_r18_6e_glyph80.py', './without-10.py']

model = dict(
    backbone=dict(
        init_cfg=dict(checkpoint='work_dirs/crop-classifier_without-10/epoch_4.pth')))
train_dataloader = dict(dataset=dict(without={{_base_.without}}))
