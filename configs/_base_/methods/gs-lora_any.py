# GS-LoRA for detectors of any family: stronger distillation than in gs-lora.py keeps the scores of
# what stays, not only its ranking, and more steps make up for it. Chosen on class order 11 of
# Glyph80; order 123 is reported.
_base_ = './gs-lora.py'
method = dict(beta=1.0, distill=2.0)
sequence = dict(iters=300)
