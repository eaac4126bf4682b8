"""GS-LoRA++: GS-LoRA with prototypes (arXiv 2501.09705)."""

from typing import Dict, Sequence

from torch import Tensor

from gslora_det.losses import prototype_divergence
from gslora_det.methods.gs_lora import GSLoRA
from gslora_det.models.detr_step import Batch, QueryOutputs, class_layers, matched_classes
from gslora_det.options import NOT_NEGATIVE, require
from gslora_det.registry import METHODS


@METHODS.register_module()
class GSLoRAPlusPlus(GSLoRA):
    """Also moves embeddings away from, or keeps them at, the prototype of their class.

    ``L = L_GS-LoRA + w_f ReLU(bound - KL_forget) + w_r KL_retain``. The prototype of a
    class is its row of the class head, which stays frozen; KL is the mean over matched
    queries of :func:`gslora_det.losses.prototype_divergence`.

    Args:
        prototype_forget (float): w_f; 0.005 in the authors' code.
        prototype_retain (float): w_r; 0 in the authors' code.
        prototype_bound (float): Where forgetting ends; 18 in the authors' code.
        **kwargs: See :class:`GSLoRA`.
    """

    def __init__(self, prototype_forget: float = 0.005, prototype_retain: float = 0.0,
                 prototype_bound: float = 18.0, **kwargs) -> None:
        super().__init__(**kwargs)
        require('GSLoRAPlusPlus', prototype_forget=(prototype_forget, NOT_NEGATIVE),
                prototype_retain=(prototype_retain, NOT_NEGATIVE),
                prototype_bound=(prototype_bound, NOT_NEGATIVE))
        self.prototype_forget = prototype_forget
        self.prototype_retain = prototype_retain
        self.prototype_bound = prototype_bound

    def terms(self, head, outputs: Sequence[QueryOutputs], forget: Batch,
              retain: Batch) -> Dict[str, Tensor]:
        """The terms of GS-LoRA and those of the prototypes."""
        terms = super().terms(head, outputs, forget, retain)
        if self.prototype_forget:
            divergence = _divergence(head, outputs[0], forget.data_samples)
            terms['forget_prototype_loss'] = self.prototype_forget * (
                self.prototype_bound - divergence).relu() * _any_box(forget)
            terms['forget_prototype_divergence'] = divergence.detach()
        if self.prototype_retain:
            terms['retain_prototype_loss'] = self.prototype_retain * _divergence(
                head, outputs[1], retain.data_samples)
        return terms


def _divergence(head, outputs: QueryOutputs, samples: list) -> Tensor:
    """Mean divergence of the batch's matched queries from their classes' prototypes."""
    labels = matched_classes(head, outputs.logits[-1], outputs.boxes[-1], samples)
    matched = labels < head.num_classes
    prototypes = class_layers(head)[-1].weight
    return prototype_divergence(outputs.embeddings[-1][matched],
                                prototypes[labels[matched]])


def _any_box(batch: Batch) -> bool:
    """Without boxes there is nothing to push away."""
    return any(len(sample.gt_instances) for sample in batch.data_samples)
