# Weights of the authors' detection scripts.
_base_ = '_fine-tuning.py'
method = dict(_delete_=True, type='SCRUB', gamma=0.99, alpha=0.001, temperature=2.0)
