# The flagship as the authors train its opponents: all weights but the heads, the backbone
# and the sampling of deformable attention more slowly (AdamW 3e-4, 2e-5 and 3e-5). An epoch is a
# pass over the retain buffer, also where theirs is one over the shorter forget buffer (gradient
# ascent, DER, DER++, FDR).
_base_ = '../ddetr_forget_80-10x7.py'
optim_wrapper = dict(
    paramwise_cfg=dict(
        custom_keys=dict(
            backbone=dict(lr_mult=2e-5 / 3e-4),
            sampling_offsets=dict(lr_mult=0.1),
            reference_points=dict(lr_mult=0.1))))
