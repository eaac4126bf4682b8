"""The registered wrapper: a plain detector and the method that unlearns in it."""

import copy
from typing import Dict, List, Optional

import torch
import torch.nn.functional as F
from mmdet.registry import MODELS
from mmdet.structures import SampleList
from mmengine.model import BaseModel
from mmengine.utils.dl_utils.parrots_wrapper import _BatchNorm
from torch import Tensor, nn

from gslora_det.engine.checkpoint import load_weights
from gslora_det.models.detr_step import Batch
from gslora_det.registry import METHODS


@MODELS.register_module()
class UnlearningDetector(BaseModel):
    """Trains a detector on paired forget and retain batches.

    Args:
        detector (dict): Config of an MMDet detector of the DETR family.
        method (dict): Config of a method in :data:`gslora_det.registry.METHODS`.
        weights (str): Checkpoint that this task starts from, loaded strictly.
        original (str): Checkpoint of the detector before any erasure, for methods that
            compare with it. ``weights`` by default.
        data_preprocessor (dict, optional): The detector's own by default.

    Attributes:
        detector (BaseDetector): The plain detector, with whatever the method added.
        method (Method): What trains, and on which loss.
    """

    def __init__(self, detector: dict, method: dict, weights: str,
                 original: Optional[str] = None,
                 data_preprocessor: Optional[dict] = None) -> None:
        super().__init__(dict(type='MultiBranchDataPreprocessor',
                              data_preprocessor=data_preprocessor
                              or detector['data_preprocessor']))
        self.detector = MODELS.build(copy.deepcopy(detector))
        load_weights(self.detector, weights)
        self.method = METHODS.build(method)

        def original_detector() -> nn.Module:
            # Backbone and neck are frozen and shared: their copy would never differ.
            shared = {id(m): m for m in (self.detector.backbone, self.detector.neck)}
            teacher = copy.deepcopy(plain, shared)
            load_weights(teacher, original or weights)
            return teacher.eval().requires_grad_(False)

        plain = self.detector
        self.method.prepare(self.detector, original_detector)

    def init_weights(self) -> None:
        """Does nothing: the weights are loaded, never initialised."""

    def train(self, mode: bool = True) -> 'UnlearningDetector':
        """As usual, but the statistics of frozen batch norms stay frozen."""
        super().train(mode)
        for module in self.detector.modules():
            if isinstance(module, _BatchNorm) and not any(
                    p.requires_grad for p in module.parameters()):
                module.eval()
        return self

    def forward(self, inputs, data_samples=None, mode: str = 'tensor'):
        """MMEngine's entry: ``mode`` is 'loss', 'predict' or 'tensor'."""
        if mode == 'loss':
            return self.loss(inputs, data_samples)
        return self.detector(inputs, data_samples, mode)

    def loss(self, inputs: Dict[str, Tensor],
             data_samples: Dict[str, SampleList]) -> Dict[str, Tensor]:
        """The method's loss terms on a pair of batches.

        Args:
            inputs (dict[str, Tensor]): Images of ``'forget'`` and ``'retain'``, each of
                shape (images, 3, H, W).
            data_samples (dict[str, list[DetDataSample]]): Their annotations.

        Returns:
            dict[str, Tensor]: Scalars; the keys that contain ``loss`` add up to the
            total, the others are for the log.
        """
        forget, retain = self.extract(inputs, data_samples)
        return self.method.loss(self.detector, forget, retain)

    def extract(self, inputs: Dict[str, Tensor],
                data_samples: Dict[str, SampleList]) -> List[Batch]:
        """Runs backbone and neck once over both branches.

        Both are padded to one size first. Where nothing in them trains, no graph is
        recorded.
        """
        samples = [data_samples[branch] for branch in ('forget', 'retain')]
        images = [inputs[branch] for branch in ('forget', 'retain')]
        height = max(i.shape[-2] for i in images)
        width = max(i.shape[-1] for i in images)
        images = [F.pad(i, (0, width - i.shape[-1], 0, height - i.shape[-2]))
                  for i in images]
        for sample in samples[0] + samples[1]:
            sample.set_metainfo(dict(batch_input_shape=(height, width)))
        stem = nn.ModuleList([self.detector.backbone, self.detector.neck])
        with torch.set_grad_enabled(any(p.requires_grad for p in stem.parameters())):
            features = self.detector.extract_feat(torch.cat(images))
        split = len(samples[0])
        return [Batch(tuple(f[:split] for f in features), samples[0]),
                Batch(tuple(f[split:] for f in features), samples[1])]
