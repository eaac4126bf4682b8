_base_ = [
    '../_base_/runtime.py', '../_base_/datasets/glyph80_detection.py',
    '../_base_/models/retinanet_swin_glyph80.py', '../_base_/methods/gs-lora_dense.py'
]
# One request that erases 5 of 80 classes (arXiv 2403.11530, Table 2); the tail of the class order
# that seed 123 shuffles is erased first.
sequence = dict(order=123, num_tasks=1, classes_per_task=5)
load_from = 'checkpoints/retinanet_swin_glyph80.pth'
# LoRA in neck and towers, the default; in the FFNs of the Swin blocks alone, which
# targets=['backbone.stages.*.blocks.*.ffn.layers.*'] names, nothing is erased: docs/detectors.md.
method = dict(cache_teachers=True)  # these pipelines have no random augmentation
