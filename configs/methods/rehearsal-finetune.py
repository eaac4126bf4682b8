# Weights of the authors' detection scripts.
_base_ = '_fine-tuning.py'
method = dict(_delete_=True, type='RehearsalFinetune')
sequence = dict(epochs=50)
optim_wrapper = dict(optimizer=dict(lr=2e-4))
