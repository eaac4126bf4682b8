# From the backbone's ImageNet weights, as the detector's config starts.
_base_ = '_fine-tuning.py'
method = dict(_delete_=True, type='Retrain', start='scratch')
