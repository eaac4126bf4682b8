# Aquarium, 448 photographs to train on and 127 to measure on: see docs/photos.md for the source.
# Many objects are small: it is looked at larger.
_base_ = './photos_detection.py'
data_root = 'data/aquarium/'
metainfo = dict(classes=(
    'fish', 'jellyfish', 'penguin', 'puffin', 'shark', 'starfish', 'stingray'))

train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='Resize', scale=(320, 320), keep_ratio=True),
    dict(type='PackDetInputs')
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(320, 320), keep_ratio=True),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(
        type='PackDetInputs',
        meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor'))
]
train_dataloader = dict(
    dataset=dict(data_root=data_root, metainfo=metainfo, pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(
    data_root=data_root,
    metainfo=metainfo,
    ann_file='annotations/valid.json',
    data_prefix=dict(img='valid/'),
    pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(ann_file=data_root + 'annotations/valid.json')
test_evaluator = val_evaluator
