_base_ = '../ddetr_forget_80-10x7.py'
# The weights that were found on Glyph80; on COCO nothing was run.
method = dict(
    _delete_=True,
    type='LinearErasure',
    rank=32,
    lora_alpha=32,
    targets=['decoder.layers.5.ffn.*'],  # the last
    erase=0.5,
    everywhere=20.0,
    distill=0.5)
