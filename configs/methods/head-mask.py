# The control: only the class head forgets.
_base_ = '../ddetr_forget_80-10x7.py'
method = dict(_delete_=True, type='HeadMask')
