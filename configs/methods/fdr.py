# Weights of the authors' detection scripts.
_base_ = '_fine-tuning.py'
method = dict(_delete_=True, type='FDR', relabel='sink', weight=5.0)
