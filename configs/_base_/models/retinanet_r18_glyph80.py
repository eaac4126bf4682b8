# A RetinaNet in miniature, for images of 128 x 128 pixels on a CPU.
_base_ = './resnet18_glyph80.py'

model = dict(
    type='RetinaNet',
    neck=dict(
        type='FPN',
        in_channels=[64, 128, 256],
        out_channels=96,
        num_outs=3),
    bbox_head=dict(
        type='RetinaHead',
        num_classes=80,
        in_channels=96,
        feat_channels=96,
        stacked_convs=2,
        norm_cfg=dict(type='GN', num_groups=16),
        reg_decoded_bbox=True,  # for GIoU
        anchor_generator=dict(
            type='AnchorGenerator',
            strides=[8, 16, 32],
            # 90 % of the glyphs measure 23 to 51 pixels (the root of their area) and half are
            # at least 1.2 times as high as wide: one anchor a place will do.
            base_sizes=[26, 36, 50],
            scales=[1.0],
            ratios=[1.2]),
        bbox_coder=dict(
            type='DeltaXYWHBBoxCoder',
            target_means=[0.0, 0.0, 0.0, 0.0],
            target_stds=[1.0, 1.0, 1.0, 1.0]),
        loss_cls=dict(
            type='FocalLoss', use_sigmoid=True, gamma=2.0, alpha=0.25, loss_weight=1.0),
        loss_bbox=dict(type='GIoULoss', loss_weight=2.0)),
    train_cfg=dict(
        assigner=dict(
            type='MaxIoUAssigner',
            pos_iou_thr=0.5,
            neg_iou_thr=0.4,
            min_pos_iou=0,
            ignore_iof_thr=-1),
        sampler=dict(type='PseudoSampler'),
        allowed_border=-1,
        pos_weight=-1,
        debug=False),
    test_cfg=dict(
        nms_pre=100,  # a level
        min_bbox_size=0,
        score_thr=0.05,
        nms=dict(type='nms', iou_threshold=0.5),
        max_per_img=100))
