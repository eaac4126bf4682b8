# How much of the retained prototypes' span counts is ours, found on Glyph80, where all of it
# erased nothing (arXiv 2604.15166).
_base_ = '../ddetr_forget_80-10x7.py'
method = dict(_delete_=True, type='DAMP', span=0.05)
