# Stage 1 of an oracle: the backbone never sees the classes either.
_base_ = ['../crop-classifier_r18_4e_glyph80.py', './without-5.py']

train_dataloader = dict(dataset=dict(without={{_base_.without}}))
