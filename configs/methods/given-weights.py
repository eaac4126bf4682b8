# A true retrain: weights of this detector that was trained from the start without the classes.
# Without `weights` it is the detector as it was.
_base_ = '../ddetr_forget_80-10x7.py'
method = dict(_delete_=True, type='GivenWeights', weights=None)
