"""Classification of single objects: the first stage of a small detector's training."""

import torch.nn.functional as F
from mmdet.registry import MODELS
from mmengine.model import BaseModel
from torch import Tensor, nn


@MODELS.register_module()
class CropClassifier(BaseModel):
    """A detector's backbone with a linear classifier on its pooled last feature map.

    DETR learns far faster from a backbone that already tells the classes apart.

    Args:
        backbone (dict): Config of the backbone, the same as the detector's.
        in_channels (int): Channels of the backbone's last feature map.
        num_classes (int): Number of classes.
        data_preprocessor (dict): The detector's mean and std.
    """

    def __init__(self, backbone: dict, in_channels: int, num_classes: int,
                 data_preprocessor: dict) -> None:
        super().__init__(data_preprocessor=data_preprocessor)
        self.backbone = MODELS.build(backbone)
        self.fc = nn.Linear(in_channels, num_classes)

    def forward(self, inputs: Tensor, data_samples: Tensor,
                mode: str = 'tensor') -> dict[str, Tensor]:
        """Returns the cross-entropy and the accuracy of a batch.

        Args:
            inputs (Tensor): Normalised crops, shape (N, 3, H, W).
            data_samples (Tensor): Class indices, shape (N,).
            mode (str): MMEngine's; only ``'loss'`` has a meaning here.
        """
        logits = self.fc(self.backbone(inputs)[-1].mean((2, 3)))
        return dict(loss=F.cross_entropy(logits, data_samples),
                    accuracy=(logits.argmax(1) == data_samples).float().mean())
