# The smoothing is that of the authors' classification scripts.
_base_ = '_fine-tuning.py'
method = dict(_delete_=True, type='SCRUBS', gamma=0.99, alpha=0.001, smoothing=0.05)
