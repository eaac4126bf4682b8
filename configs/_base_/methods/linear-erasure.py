# Linear erasure by LoRA in the last decoder FFN, then the class rows reset. Weights, rank and
# steps come from a prototype on the first two tasks of Glyph80's 80-10x7, order 123.
method = dict(
    type='LinearErasure',
    rank=32,  # at least the classes of a task: rank 8 for ten classes left twice as much
    lora_alpha=32,  # updates are not scaled down
    targets=['decoder.layers.2.ffn.*'],  # the last: all FFNs were no better
    alpha=3e-4,  # as published
    erase=0.5,
    everywhere=20.0,  # with 0.1, a second task brought back what the first had erased
    distill=0.5)

sequence = dict(
    forget=dict(fraction=0.3, batch_size=8),
    retain=dict(fraction=0.1, batch_size=8),  # as published
    mixed_images='background',
    iters=300)

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=2e-3, weight_decay=1e-4),
    clip_grad=dict(max_norm=0.1, norm_type=2))  # as published
param_scheduler = [dict(type='CosineAnnealingLR', by_epoch=False, eta_min=0)]
auto_scale_lr = dict(enable=False, base_batch_size=16)
