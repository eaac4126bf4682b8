# Weights of the authors' detection scripts.
_base_ = '../ddetr_forget_80-10x7.py'
method = dict(_delete_=True, type='RandomDrop', rate=0.2)
