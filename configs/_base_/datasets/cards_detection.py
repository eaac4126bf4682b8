# Playing cards, 296 photographs to train on and 67 to test: see docs/photos.md for the source.
_base_ = './photos_detection.py'
data_root = 'data/cards/'
metainfo = dict(classes=('nine', 'ten', 'jack', 'queen', 'king', 'ace'))

train_dataloader = dict(dataset=dict(data_root=data_root, metainfo=metainfo))
val_dataloader = dict(dataset=dict(data_root=data_root, metainfo=metainfo))
test_dataloader = val_dataloader
val_evaluator = dict(ann_file=data_root + 'annotations/test.json')
test_evaluator = val_evaluator
