_base_ = [
    '../_base_/runtime.py', '../_base_/datasets/glyph80_detection.py',
    '../_base_/models/deformable-detr_r18_glyph80.py',
    '../_base_/methods/linear-erasure.py'
]
# The requests of ddetr_forget_80-10x7.py.
sequence = dict(order=123, num_tasks=7, classes_per_task=10)
load_from = 'checkpoints/deformable-detr_r18_glyph80.pth'
method = dict(cache_teachers=True)  # these pipelines have no random augmentation
oracles = ['checkpoints/deformable-detr_r18_glyph80_without-10.pth']
