# Stage 2 of the DINO of Glyph80: three epochs more, from a high learning rate to zero again.
# This is what checkpoints/dino_r18_glyph80.pth holds.
_base_ = './dino_r18_3e_glyph80.py'

load_from = 'work_dirs/dino_r18_3e_glyph80/epoch_3.pth'
randomness = dict(seed=1)  # other batches than in stage 1
