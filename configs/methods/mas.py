# Weights of the authors' detection scripts.
_base_ = '_fine-tuning.py'
method = dict(_delete_=True, type='MAS', relabel='sink', weight=0.1)
