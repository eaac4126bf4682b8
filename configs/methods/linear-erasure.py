_base_ = '../ddetr_forget_80-10x7.py'
# The weights that were found on Glyph80 (configs/_base_/methods/linear-erasure.py says how); on
# COCO nothing was run.
method = dict(
    _delete_=True,
    type='LinearErasure',
    rank=32,
    lora_alpha=32,
    targets=['decoder.layers.5.ffn.*', 'bbox_head.cls_branches.5'],  # the last
    erase=0.5,
    everywhere=60.0,
    keep=5.0,
    distill=10.0)
sequence = dict(retain=dict(fraction=0.3))
