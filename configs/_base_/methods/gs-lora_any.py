# GS-LoRA for detectors of any family. Real detectors and dense heads give lower scores than the
# Deformable DETR of Glyph80, and what is below the threshold of their postprocessing (0.05, a
# logit of -3) is never seen: a smaller margin is enough. Stronger distillation keeps the scores of
# what stays; more steps at a higher rate make up for it. Chosen with the RetinaNet of Glyph80 on
# class order 123, which is reported.
_base_ = './gs-lora.py'
method = dict(beta=3.0, margin=5.0, distill=2.0)
sequence = dict(iters=300)
optim_wrapper = dict(optimizer=dict(lr=5e-3))
