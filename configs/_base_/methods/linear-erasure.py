# Linear erasure by LoRA in the last decoder FFN, then the class rows reset. Weights, rank and
# steps come from a prototype on the first two tasks of Glyph80's 80-10x7, order 123.
_base_ = 'gs-lora.py'  # its buffers and its schedule
method = dict(
    _delete_=True,
    type='LinearErasure',
    rank=32,  # at least the classes of a task: rank 8 for ten classes left twice as much
    lora_alpha=32,  # updates are not scaled down
    targets=['decoder.layers.2.ffn.*'],  # the last: all FFNs were no better
    alpha=3e-4,  # as published
    erase=0.5,
    everywhere=20.0,  # with 0.1, a second task brought back what the first had erased
    distill=0.5)
sequence = dict(iters=300)
