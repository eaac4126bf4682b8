# Weights of the authors' classification scripts; they have none for detection.
_base_ = '_fine-tuning.py'
method = dict(_delete_=True, type='LwF', relabel='sink', weight=0.5, retain_weight=2.0)
