# How much of the retained prototypes' span counts is ours, found on Glyph80; all of it, the
# paper's (arXiv 2604.15166), erased nothing there.
_base_ = '../ddetr_forget_80-10x7.py'
method = dict(_delete_=True, type='DAMP', span=0.05)
