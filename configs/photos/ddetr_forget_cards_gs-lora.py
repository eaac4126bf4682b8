# The same requests by GS-LoRA, which hides them. LoRA in the decoder's FFNs alone: what the
# encoder makes of an image is remembered.
_base_ = [
    '../_base_/runtime.py', '../_base_/datasets/cards_detection.py',
    '../_base_/models/deformable-detr_lite0_photos.py', '../_base_/methods/gs-lora_any.py'
]
model = dict(num_queries=30, bbox_head=dict(num_classes=6))
load_from = 'work_dirs/deformable-detr_lite0_anneal-6e_cards/epoch_6.pth'
sequence = dict(
    tasks=[['queen'], ['ten', 'ace']],
    forget=dict(fraction=1.0),
    retain=dict(fraction=1.0),
    iters=200)
# The margin was chosen on "king", and on "nine" with "jack".
method = dict(targets=['decoder.layers.*.ffn.*'], margin=8.0, cache_teachers=True)
