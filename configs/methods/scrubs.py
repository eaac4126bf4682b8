# The smoothing is that of the authors' classification scripts; the ascent's weight is ours.
_base_ = '_fine-tuning.py'
method = dict(_delete_=True, type='SCRUBS', weight=0.03, gamma=0.99, alpha=0.001, smoothing=0.05)
