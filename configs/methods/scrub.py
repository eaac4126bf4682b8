# Weights of the authors' detection scripts; that of the ascent, which they have not, is ours.
_base_ = '_fine-tuning.py'
method = dict(_delete_=True, type='SCRUB', weight=0.01, gamma=0.99, alpha=0.001, temperature=2.0)
