# What the authors' code does: it goes on from the trained detector.
_base_ = '_fine-tuning.py'
method = dict(_delete_=True, type='Retrain', start='checkpoint')
