"""SCRUB: the student disobeys its teacher on forget data (arXiv 2302.09880)."""

from torch import Tensor, nn

from gslora_det.losses import logit_distillation_loss
from gslora_det.methods.fine_tuning import FineTuning
from gslora_det.methods.teacher import Original
from gslora_det.options import NOT_NEGATIVE, POSITIVE, SHARE, one_of, require
from gslora_det.readers import Batch, prefixed, reader_of
from gslora_det.registry import METHODS


@METHODS.register_module()
class SCRUB(FineTuning):
    """``L = gamma L_det(retain) + alpha KD(retain) - weight KD(forget)``.

    KD is :func:`logit_distillation_loss`: on forget data of the forgotten classes, on
    retain data of the retained ones. After a share of the training the ascent ends, and what
    follows repairs. (The paper takes the two kinds of steps in turns; here every step sees
    both batches, so that budgets compare. Its ascent has no weight, and its KD is over a
    softmax; here each class is a distribution of its own.)

    Args:
        weight (float): Weight of the ascent.
        gamma (float): Weight of the detector's loss on retain data; 0.99 in GS-LoRA's scripts.
        alpha (float): Weight of distillation on retain data; 0.001 in GS-LoRA's scripts.
        temperature (float): Of the distillation; 2 in GS-LoRA's scripts.
        ascent (float): Share of the training with ascent, between 0 and 1.
        places (str): Where the ascent is: ``'all'`` places, as in GS-LoRA's code, or
            ``'objects'``, those that the teacher has at objects. Most of all show nothing,
            and there to disobey is to see a class.
        cache_teachers (bool): Remember by image what the original says. Only right where the
            training pipeline has no random augmentation.
        **kwargs: See :class:`FineTuning`.
    """

    def __init__(self, weight: float = 1.0, gamma: float = 0.99, alpha: float = 0.001,
                 temperature: float = 2.0, ascent: float = 2 / 3, places: str = 'all',
                 cache_teachers: bool = False, **kwargs) -> None:
        super().__init__(**kwargs)
        require('SCRUB', weight=(weight, NOT_NEGATIVE), gamma=(gamma, NOT_NEGATIVE),
                alpha=(alpha, NOT_NEGATIVE), temperature=(temperature, POSITIVE),
                ascent=(ascent, SHARE), places=(places, one_of('all', 'objects')))
        self.weight = weight
        self.gamma = gamma
        self.alpha = alpha
        self.temperature = temperature
        self.ascent = ascent
        self.places = places
        self.progress = 0.0
        self.original, = self.parts = Original(cache_teachers, self),

    def loss(self, detector: nn.Module, forget: Batch, retain: Batch) -> dict[str, Tensor]:
        """Obey on retain data; disobey on forget data, at first."""
        reader = reader_of(detector)
        on_forget, on_retain = reader.read(forget, retain)
        retain_terms, _ = reader.losses(on_retain, self.aux_losses)
        terms = dict(
            prefixed('retain_', retain_terms, self.gamma),
            retain_kd_loss=self.alpha * logit_distillation_loss(
                *self.original.retained_odds(on_retain, retain), self.temperature))
        if self.progress < self.ascent:
            student, taught = self.original.readings(on_forget, forget)
            before, after = taught.odds, student.odds
            if self.places == 'objects':  # elsewhere there is no distance
                of_object = reader.labels(taught) < reader.num_classes
                after = after.where(of_object[..., None], before)
            terms['forget_kd_loss'] = -self.weight * logit_distillation_loss(
                after[..., self.forgotten], before[..., self.forgotten], self.temperature)
        return terms

    def after_step(self, detector: nn.Module, lr: float, progress: float) -> None:
        """Notes the progress."""
        self.progress = progress

    def state_dict(self) -> dict:
        """What the teacher said so far, and the progress."""
        return dict(super().state_dict(), progress=self.progress)

    def load_state_dict(self, state: dict) -> None:
        """Restores :meth:`state_dict`."""
        super().load_state_dict(state)
        self.progress = state['progress']
