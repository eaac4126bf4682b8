# The same for any DETR of one stage. With few classes the LoRA of the class layer is as large as
# the layer: without holding, a class that was erased earlier came back to AP 10 on the cards of
# docs/photos.md, and to 2.8 with it. On Glyph80, where AP_o stays at 0 without, it was not run.
_base_ = './linear-erasure.py'
method = dict(hold=0.6)
