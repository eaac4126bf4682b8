"""A small Transformer whose blocks stand in a list."""

from mmcv.cnn.bricks.transformer import FFN
from torch import nn

from gslora_det.lora import inject_lora


class Block(nn.Module):

    def __init__(self):
        super().__init__()
        self.attention = nn.Linear(8, 8)
        self.ffn = FFN(8, 16, num_fcs=2, ffn_drop=0.0)

    def forward(self, x):
        return self.ffn(self.attention(x))


class Detector(nn.Module):

    def __init__(self):
        super().__init__()
        self.encoder = nn.Module()
        self.encoder.layers = nn.ModuleList([Block(), Block()])
        self.head = nn.Linear(8, 3)

    def forward(self, x):
        for layer in self.encoder.layers:
            x = layer(x)
        return self.head(x)


def trained(detector):
    groups = inject_lora(detector, rank=2)
    for group in groups:
        for layer in group.layers.values():
            nn.init.normal_(layer.lora_B, std=0.1)
    return groups
