_base_ = [
    './_base_/runtime.py', './_base_/datasets/coco_detection.py',
    './_base_/models/deformable-detr_r50.py',
    './_base_/methods/gs-lora_paper.py'
]
# Seven requests of ten classes each (arXiv 2403.11530, Fig. 3); the tail of the class order
# that seed 123 shuffles is erased first.
sequence = dict(order=123, num_tasks=7, classes_per_task=10)
