# Two requests that erase three of the seven classes of the aquarium: docs/photos.md.
_base_ = [
    '../_base_/runtime.py', '../_base_/datasets/aquarium_detection.py',
    '../_base_/models/deformable-detr_lite0_photos.py', '../_base_/methods/gs-lora_photos.py'
]
model = dict(num_queries=60, bbox_head=dict(num_classes=7))
load_from = 'work_dirs/deformable-detr_lite0_anneal-16e_aquarium/epoch_16.pth'
sequence = dict(tasks=[['penguin'], ['starfish', 'puffin']])
method = dict(cache_teachers=True)  # these pipelines have no random augmentation
