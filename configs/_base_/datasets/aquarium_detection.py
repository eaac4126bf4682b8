# Aquarium, 448 photographs to train on and 127 to measure on: see docs/photos.md for the source.
_base_ = './photos_detection.py'
data_root = 'data/aquarium/'
metainfo = dict(classes=(
    'fish', 'jellyfish', 'penguin', 'puffin', 'shark', 'starfish', 'stingray'))

train_dataloader = dict(dataset=dict(data_root=data_root, metainfo=metainfo))
val_dataloader = dict(dataset=dict(
    data_root=data_root,
    metainfo=metainfo,
    ann_file='annotations/valid.json',
    data_prefix=dict(img='valid/')))
test_dataloader = val_dataloader
val_evaluator = dict(ann_file=data_root + 'annotations/valid.json')
test_evaluator = val_evaluator
