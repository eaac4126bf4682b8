# Weights of the authors' detection scripts.
_base_ = '_fine-tuning.py'
method = dict(_delete_=True, type='EWC', relabel='sink', weight=10.0)
