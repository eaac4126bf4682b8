# GS-LoRA as published (arXiv 2403.11530) and as its authors' code trains it.
method = dict(
    type='GSLoRA',
    rank=8,  # authors' scripts
    lora_alpha=1,  # default of loralib: updates are scaled by 1/8
    alpha=3e-4,  # weight of the structure term, authors' scripts
    # One a task; authors' scripts for seven tasks of ten classes.
    beta=[0.015, 0.03, 0.14, 0.13, 0.13, 0.15, 0.15],
    bound=15.0,  # BND, fixed in the authors' code
    forget_term='full',
    norm='joint',
    update='subgradient')

sequence = dict(
    # 10 % of the images; batches are a process's: the authors' 8 GPUs take 2 each.
    forget=dict(fraction=0.1, batch_size=16),
    retain=dict(fraction=0.1, batch_size=16),
    mixed_images='background',
    crowds='background',  # dropped from the targets in the authors' code
    epochs=30)  # passes over the retain buffer, authors' scripts

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=3e-4, weight_decay=1e-4),  # authors' scripts
    clip_grad=dict(max_norm=0.1, norm_type=2))
param_scheduler = []  # constant: the authors' drop at epoch 40 is never reached
auto_scale_lr = dict(enable=False, base_batch_size=32)
