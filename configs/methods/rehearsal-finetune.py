# Weights of the authors' detection scripts; their drop of the rate after 40 epochs is left out.
_base_ = '_fine-tuning.py'
method = dict(_delete_=True, type='RehearsalFinetune')
sequence = dict(epochs=50)
optim_wrapper = dict(
    optimizer=dict(lr=2e-4),
    paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.1))))
