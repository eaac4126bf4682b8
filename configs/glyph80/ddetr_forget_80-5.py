_base_ = [
    '../_base_/runtime.py', '../_base_/datasets/glyph80_detection.py',
    '../_base_/models/deformable-detr_r18_glyph80.py',
    '../_base_/methods/gs-lora.py'
]
# One request that erases 5 of 80 classes (arXiv 2403.11530, Table 2); the tail of the class order
# that seed 123 shuffles is erased first.
sequence = dict(order=123, num_tasks=1, classes_per_task=5)
load_from = 'checkpoints/deformable-detr_r18_glyph80.pth'
method = dict(cache_teachers=True)  # these pipelines have no random augmentation
# Trained without what the request erases: tools/attack.py compares with it.
oracles = ['checkpoints/deformable-detr_r18_glyph80_without-5.pth']
