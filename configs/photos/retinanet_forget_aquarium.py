# Two requests that erase three of the seven kinds of the aquarium: docs/photos.md.
_base_ = [
    '../_base_/runtime.py', '../_base_/datasets/aquarium_detection.py',
    '../_base_/models/retinanet_lite0_photos.py', '../_base_/methods/gs-lora_dense.py'
]
load_from = 'work_dirs/retinanet_lite0_aquarium/epoch_12.pth'
sequence = dict(  # few images: all of them
    tasks=[['jellyfish'], ['stingray', 'puffin']],
    forget=dict(fraction=1.0),
    retain=dict(fraction=1.0))
method = dict(cache_teachers=True)  # these pipelines have no random augmentation
