# Two requests that erase three of the six kinds of cards: docs/photos.md.
_base_ = [
    '../_base_/runtime.py', '../_base_/datasets/cards_detection.py',
    '../_base_/models/deformable-detr_lite0_photos.py',
    '../_base_/methods/linear-erasure_any.py'
]
model = dict(num_queries=30, bbox_head=dict(num_classes=6))
load_from = 'work_dirs/deformable-detr_lite0_anneal-6e_cards/epoch_6.pth'
sequence = dict(  # few images: all of them
    tasks=[['queen'], ['ten', 'ace']],
    forget=dict(fraction=1.0),
    retain=dict(fraction=1.0),
    iters=200)
method = dict(cache_teachers=True)  # these pipelines have no random augmentation
