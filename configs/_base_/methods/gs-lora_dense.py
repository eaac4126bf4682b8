# The same for dense heads. What they give a score below 0.05, log-odds of -3, never leaves their
# postprocessing: a smaller margin is enough, and a larger one costs retained scores. Their
# convolutions are shared by all places, and change more slowly. Beta, rate and steps come from
# the RetinaNet of Glyph80 on class order 123, checked on order 11.
_base_ = './gs-lora_any.py'
method = dict(beta=3.0, margin=5.0)
optim_wrapper = dict(optimizer=dict(lr=5e-3))
