# The RetinaNet of Glyph80 on a miniature Swin Transformer instead of a ResNet.
_base_ = './retinanet_r18_glyph80.py'

model = dict(
    backbone=dict(
        _delete_=True,
        type='SwinTransformer',
        embed_dims=32,
        depths=(2, 2, 2, 2),
        num_heads=(2, 4, 8, 16),
        window_size=4,  # divides the maps of 32, 16, 8 and 4 patches of a 128-pixel image
        patch_size=4,
        mlp_ratio=4,
        drop_path_rate=0.0,
        out_indices=(1, 2, 3)),
    neck=dict(in_channels=[64, 128, 256]))
