# A DINO in miniature: the Deformable DETR of Glyph80 in two stages and with denoising.
_base_ = './deformable-detr_r18_glyph80.py'

model = dict(
    type='DINO',
    as_two_stage=True,
    bbox_head=dict(
        type='DINOHead',
        loss_cls=dict(loss_weight=1.0)),  # as in DINO
    dn_cfg=dict(
        label_noise_scale=0.5,
        box_noise_scale=1.0,
        # 20 objects and as many negatives in an image: four groups of the five glyphs that
        # an image has at most.
        group_cfg=dict(dynamic=True, num_groups=None, num_dn_queries=20)))
