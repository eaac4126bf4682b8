# Two minutes on two cores: linear erasure of one class, with a small buffer and few steps.
_base_ = [
    '../_base_/runtime.py', '../_base_/datasets/glyph80_detection.py',
    '../_base_/models/deformable-detr_r18_glyph80.py',
    '../_base_/methods/linear-erasure.py'
]
load_from = 'checkpoints/deformable-detr_r18_glyph80.pth'
sequence = dict(tasks=[['Latin R']], retain=dict(fraction=0.1), iters=60)
method = dict(rank=8, lora_alpha=8, cache_teachers=True)
