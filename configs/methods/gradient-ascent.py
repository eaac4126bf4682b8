# Weights of the authors' detection scripts.
_base_ = '_fine-tuning.py'
method = dict(_delete_=True, type='GradientAscent')
sequence = dict(epochs=5)
optim_wrapper = dict(
    optimizer=dict(lr=2e-4),
    paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.1))))
