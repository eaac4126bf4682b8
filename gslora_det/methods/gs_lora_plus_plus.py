"""GS-LoRA++: GS-LoRA with prototypes (arXiv 2501.09705)."""

from collections.abc import Sequence

from torch import Tensor

from gslora_det.losses import prototype_divergence
from gslora_det.methods.gs_lora import GSLoRA
from gslora_det.methods.teacher import Step
from gslora_det.options import NOT_NEGATIVE, require
from gslora_det.readers import Losses, Reader, Reading
from gslora_det.registry import METHODS


@METHODS.register_module()
class GSLoRAPlusPlus(GSLoRA):
    """Also moves embeddings away from, or keeps them at, the prototype of their class.

    ``L = L_GS-LoRA + w_f ReLU(bound - KL_forget) + w_r KL_retain``. The prototype of a
    class is its row of the class head, which stays frozen; KL is the mean over matched
    places of :func:`gslora_det.losses.prototype_divergence`.

    Args:
        prototype_forget (float): w_f, of forgotten objects; 0.005 in the authors' code.
        prototype_retain (float): w_r, of retained ones; 0 in the authors' code.
        prototype_bound (float): Where forgetting ends; 18 in the authors' code.
        **kwargs: See :class:`GSLoRA`.
    """

    embeds = True

    def __init__(self, prototype_forget: float = 0.005, prototype_retain: float = 0.0,
                 prototype_bound: float = 18.0, **kwargs) -> None:
        super().__init__(**kwargs)
        require('GSLoRAPlusPlus', prototype_forget=(prototype_forget, NOT_NEGATIVE),
                prototype_retain=(prototype_retain, NOT_NEGATIVE),
                prototype_bound=(prototype_bound, NOT_NEGATIVE))
        self.prototype_forget = prototype_forget
        self.prototype_retain = prototype_retain
        self.prototype_bound = prototype_bound

    def further_terms(self, reader: Reader, readings: Sequence[Reading],
                      losses: Sequence[Losses], step: Step) -> dict[str, Tensor]:
        """The terms of the prototypes."""
        terms, (forget, retain) = {}, losses
        if self.prototype_forget:
            divergence = _divergence(reader, forget)
            any_box = any(len(s.gt_instances) for s in readings[0].samples)
            terms['forget_prototype_loss'] = self.prototype_forget * (
                self.prototype_bound - divergence).relu() * any_box
            terms['forget_prototype_divergence'] = divergence.detach()
        if self.prototype_retain:
            terms['retain_prototype_loss'] = self.prototype_retain * _divergence(reader, retain)
        return terms


def _divergence(reader: Reader, losses: Losses) -> Tensor:
    """Mean divergence of what is matched (in the last layer) from its classes' prototypes."""
    matched = list(losses.matched.values())[0]
    prototypes = reader.class_layers()[-1].weight
    return prototype_divergence(matched.embeddings, prototypes[matched.labels])
