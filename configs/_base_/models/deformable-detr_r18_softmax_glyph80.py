# The Deformable DETR of Glyph80 with a softmax over its classes and "no object".
_base_ = './deformable-detr_r18_glyph80.py'

model = dict(
    bbox_head=dict(
        loss_cls=dict(
            _delete_=True,
            type='CrossEntropyLoss',
            use_sigmoid=False,
            # One of "no object", the last, counts a tenth, as in DETR. A list, because the
            # heads derived from DETRHead do not read bg_cls_weight.
            class_weight=[1.0] * 80 + [0.1],
            loss_weight=1.0)),
    train_cfg=dict(
        assigner=dict(
            match_costs=[
                dict(type='ClassificationCost', weight=1.0),
                dict(type='BBoxL1Cost', weight=5.0, box_format='xywh'),
                dict(type='IoUCost', iou_mode='giou', weight=2.0)
            ])),
    test_cfg=dict(max_per_img=30))  # a softmax head gives one detection a query
