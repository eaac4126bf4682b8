# GS-LoRA that keeps scores, not only their ranking: a small margin, strong distillation, more and
# smaller steps than in gs-lora.py. Chosen with the Deformable DETR and the DINO of Glyph80, on
# class order 11; order 123 is reported.
_base_ = './gs-lora.py'
method = dict(beta=0.3, margin=5.0, distill=5.0)
sequence = dict(iters=300)
optim_wrapper = dict(optimizer=dict(lr=1e-3))
