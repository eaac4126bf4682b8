# The control of LoRA: the published loss on all weights but heads and batch norms.
_base_ = './_fine-tuning.py'
method = dict(_delete_=True, type='AllWeights', beta=0.15, bound=15.0)
