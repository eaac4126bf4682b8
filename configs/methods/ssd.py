# Values of the paper, arXiv 2308.07707.
_base_ = '../ddetr_forget_80-10x7.py'
method = dict(_delete_=True, type='SSD', alpha=10.0, lambda_=1.0)
