_base_ = [
    '../_base_/runtime.py', '../_base_/datasets/glyph80_detection.py',
    '../_base_/models/deformable-detr_r18_glyph80.py',
    '../_base_/methods/gs-lora.py'
]
# Seven requests of ten classes each (arXiv 2403.11530, Fig. 3); the tail of the class order
# that seed 123 shuffles is erased first.
sequence = dict(order=123, num_tasks=7, classes_per_task=10)
load_from = 'checkpoints/deformable-detr_r18_glyph80.pth'
method = dict(cache_teachers=True)  # these pipelines have no random augmentation
# Trained without what the first request erases: tools/attack.py compares with it.
oracles = ['checkpoints/deformable-detr_r18_glyph80_without-10.pth']
