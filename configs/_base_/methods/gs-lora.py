# GS-LoRA with the terms that keep a long sequence stable: a margin on the logits of the
# forgotten class, distillation from the original detector, and holding of what was erased.
# The weights, the margin and the schedule come from a prototype on Glyph80; the share of the
# forget buffer was chosen on class order 11, after a first run on order 123, which is reported.
# Stronger distillation keeps the scores of retained objects better, not only their ranking, but
# spares rare forgotten classes: distill 5, beta 1, hold 2 kept 96 to 99 % of AP_r in all seven
# tasks and left AP_f 5.8 in one of them.
method = dict(
    type='GSLoRA',
    rank=8,  # as published
    lora_alpha=8,  # updates are not scaled down: a short schedule needs larger steps
    alpha=3e-4,  # as published
    beta=0.3,
    forget_term='margin',
    margin=12.0,
    norm='joint',
    update='subgradient',
    distill=0.5,
    hold=0.6)

sequence = dict(
    # The published 10 % are 6 to 20 boxes a class here, too few for unseen faces.
    forget=dict(fraction=0.3, batch_size=8),
    retain=dict(fraction=0.1, batch_size=8),  # as published
    mixed_images='background',
    iters=150)

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=2e-3, weight_decay=1e-4),
    clip_grad=dict(max_norm=0.1, norm_type=2))  # as published
param_scheduler = [dict(type='CosineAnnealingLR', by_epoch=False, eta_min=0)]
auto_scale_lr = dict(enable=False, base_batch_size=16)
