# The paper's rule (arXiv 2604.15166) has no values to choose.
_base_ = '../ddetr_forget_80-10x7.py'
method = dict(_delete_=True, type='DAMP')
