# The same for a softmax over all classes (a DETR's, or a box head's), where log-odds spread wider:
# a larger margin, which takes more of a push. Chosen on class order 11 of Glyph80, too.
_base_ = './gs-lora_any.py'
method = dict(beta=1.0, margin=12.0, distill=2.0)
optim_wrapper = dict(optimizer=dict(lr=2e-3))
