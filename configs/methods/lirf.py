# The authors have no detection script: the weights are ours, see the class.
_base_ = '_fine-tuning.py'
method = dict(_delete_=True, type='LIRF', relabel='sink')
