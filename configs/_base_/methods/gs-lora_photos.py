# For a small DETR of few photographs: LoRA in the decoder's FFNs alone (what the encoder makes of
# an image is remembered then), all images, a larger margin for photographs that were never seen.
# Chosen on the cards of docs/photos.md by their classes king, and nine and jack; others are
# reported there.
_base_ = './gs-lora_any.py'
method = dict(margin=8.0, targets=['decoder.layers.*.ffn.*'])
sequence = dict(forget=dict(fraction=1.0), retain=dict(fraction=1.0), iters=200)
