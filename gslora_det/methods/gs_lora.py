"""GS-LoRA: group-sparse LoRA (arXiv 2403.11530), and what keeps a long sequence stable."""

from typing import Callable, Dict, Optional, Sequence, Tuple, Union

import torch
from torch import Tensor, nn

from gslora_det.lora import inject_lora, lora_disabled, lora_state, merge_lora
from gslora_det.losses import (
    bounded_forget_loss,
    box_distillation_loss,
    group_soft_threshold_,
    group_sparse_loss,
    hold_loss,
    logit_distillation_loss,
    margin_forget_loss,
    positive_focal_loss,
)
from gslora_det.losses.group_sparse import NORMS
from gslora_det.methods.base import Method
from gslora_det.methods.teacher import Memory, Outputs, Teacher, last_layer
from gslora_det.models.detr_step import (
    Batch,
    QueryOutputs,
    all_proposals,
    detection_loss,
    detection_terms,
    join,
    matched_logits,
    query_outputs,
    supervised_layers,
)
from gslora_det.options import (
    COUNT,
    FLAG,
    NOT_NEGATIVE,
    POSITIVE,
    each,
    one_of,
    require,
)
from gslora_det.registry import METHODS


@METHODS.register_module()
class GSLoRA(Method):
    """Trains LoRA groups in the FFNs so that the forgotten classes vanish.

    ``L = L_retain + beta (L_forget + L_box) + alpha L_structure`` with the detector's own
    loss on the retain batch, a term that pushes the forgotten classes away, their box
    loss as it is, and the group-sparse penalty. ``distill`` and ``hold`` are off in the
    paper's setting.

    Args:
        rank (int): Rank of the updates.
        lora_alpha (float): Updates are scaled by ``lora_alpha / rank``.
        targets (list[str], optional): See :func:`gslora_det.lora.inject_lora`.
        alpha (float): Weight of the structure term.
        beta (float | list[float]): Weight of forgetting, or one a task.
        forget_term (str): ``'full'``, the bounded classification loss of the forget batch
            (the authors' code); ``'positive'``, the same bound on its positives alone; or
            ``'margin'``, a hinge on the logits of matched pairs.
        bound (float): Where ``'full'`` and ``'positive'`` end.
        margin (float): ``'margin'`` ends when logits are below ``-margin``.
        norm (str): See :func:`gslora_det.losses.group_sparse_loss`.
        update (str): ``'subgradient'`` leaves the penalty to the optimiser;
            ``'proximal'`` takes ``lr * alpha`` off the norm of each group after each step,
            down to exactly zero. A new group has norm 2.3 at rank 8, so ``alpha`` has to be
            thousands of times the 0.0003 that suits an adaptive optimizer.
        distill (float): Weight of distillation: logits and boxes of retained classes, on
            both batches, stay with the original detector's.
        hold (float): Weight of holding: logits of classes erased earlier do not rise above
            those before this task.
        cache_teachers (bool): Remember by image what distillation and holding compare with.
            Only right where the training pipeline has no random augmentation.
        aux_losses (bool): Supervise all decoder layers, each with a bound of its own.
        **kwargs: See :class:`Method`.

    Raises:
        ValueError: An option is out of range.
    """

    def __init__(self, rank: int = 8, lora_alpha: float = 1.0,
                 targets: Optional[Sequence[str]] = None, alpha: float = 3e-4,
                 beta: Union[float, Sequence[float]] = 0.15, forget_term: str = 'full',
                 bound: float = 15.0, margin: float = 12.0, norm: str = 'joint',
                 update: str = 'subgradient', distill: float = 0.0, hold: float = 0.0,
                 cache_teachers: bool = False, aux_losses: bool = False, **kwargs) -> None:
        super().__init__(**kwargs)
        require(
            'GSLoRA', rank=(rank, COUNT), lora_alpha=(lora_alpha, POSITIVE),
            alpha=(alpha, NOT_NEGATIVE), beta=(beta, each(NOT_NEGATIVE)),
            bound=(bound, NOT_NEGATIVE), margin=(margin, NOT_NEGATIVE),
            distill=(distill, NOT_NEGATIVE), hold=(hold, NOT_NEGATIVE),
            forget_term=(forget_term, one_of('full', 'positive', 'margin')),
            norm=(norm, one_of(*NORMS)), update=(update, one_of('subgradient', 'proximal')),
            cache_teachers=(cache_teachers, FLAG), aux_losses=(aux_losses, FLAG))
        self.rank = rank
        self.lora_alpha = lora_alpha
        self.targets = targets
        self.alpha = alpha
        self.beta = beta[self.task - 1] if isinstance(beta, (list, tuple)) else beta
        self.forget_term = forget_term
        self.bound = bound
        self.margin = margin
        self.norm = norm
        self.update = update
        self.distill = distill
        self.hold = hold if self.old else 0.0
        self.aux_losses = aux_losses
        self.cache_teachers = cache_teachers
        self.teacher: Optional[Teacher] = None

    def prepare(self, detector: nn.Module,
                original_detector: Callable[..., nn.Module]) -> None:
        """Freezes the detector and injects LoRA: only the groups train."""
        detector.requires_grad_(False)
        if self.distill and self.old:  # in the first task the original is the base itself
            self.teacher = Teacher(original_detector(share_stem=True), share_stem=True)
        self.groups = inject_lora(detector, self.rank, self.targets, self.lora_alpha)

        def before(batch: Batch, proposals: Optional[Tensor] = None) -> Outputs:
            with lora_disabled(self.groups):
                return last_layer(detector, batch, proposals)

        def remembered(run: Callable[..., Outputs]) -> Callable[..., Outputs]:
            return Memory(run, detector) if self.cache_teachers else run

        self.before = remembered(before)
        self.original = remembered(self.teacher) if self.teacher else self.before

    def loss(self, detector: nn.Module, forget: Batch, retain: Batch) -> Dict[str, Tensor]:
        """The terms of GS-LoRA, each already weighted."""
        outputs = query_outputs(detector, forget, retain)
        return self.terms(detector.bbox_head, outputs, forget, retain)

    def terms(self, head, outputs: Sequence[QueryOutputs], forget: Batch,
              retain: Batch) -> Dict[str, Tensor]:
        """The same from what the queries say on the two batches."""
        terms = detection_terms(head, outputs[1], retain.data_samples, self.aux_losses,
                                prefix='retain_')
        terms.update(self._forget_terms(head, outputs[0], forget))
        if self.update == 'subgradient':
            terms['loss_structure'] = self.alpha * group_sparse_loss(self.groups, self.norm)
        if self.distill or self.hold:
            terms.update(self._keep_terms(outputs, join(forget, retain)))
        return terms

    def after_step(self, detector: nn.Module, lr: float, progress: float) -> None:
        """The proximal step on the groups, where it is asked for."""
        if self.update == 'proximal':
            group_soft_threshold_(self.groups, lr * self.alpha, self.norm)

    def adapter(self, detector: nn.Module) -> Tuple[Dict[str, Tensor], Dict[str, str]]:
        """A and B of all groups, and their scaling."""
        return lora_state(detector), dict(scaling=repr(self.lora_alpha / self.rank))

    def after_task(self, detector: nn.Module) -> None:
        """Folds the updates into the weights."""
        merge_lora(detector)

    def _forget_terms(self, head, outputs: QueryOutputs, batch: Batch) -> Dict[str, Tensor]:
        terms = {}
        for prefix, layer in supervised_layers(outputs, self.aux_losses):
            losses, labels = detection_loss(head, outputs, batch.data_samples, layer)
            positives = matched_logits(outputs.logits[layer], labels)
            loss_cls = losses.pop('loss_cls')
            if self.forget_term == 'margin':
                push = margin_forget_loss(positives, self.margin)
            else:
                if self.forget_term == 'positive':
                    loss_cls = head.loss_cls.loss_weight * positive_focal_loss(
                        positives, head.loss_cls.alpha, head.loss_cls.gamma)
                push = bounded_forget_loss(loss_cls, self.bound)
            terms[f'{prefix}forget_loss_cls'] = self.beta * push
            terms.update({f'{prefix}forget_{k}': self.beta * v for k, v in losses.items()})
            terms[f'{prefix}forgotten_logit'] = positives.detach().sum() / max(
                len(positives), 1)
        return terms

    def _keep_terms(self, outputs: Sequence[QueryOutputs], batch: Batch
                    ) -> Dict[str, Tensor]:
        logits = torch.cat([o.logits[-1] for o in outputs])
        boxes = torch.cat([o.boxes[-1] for o in outputs])
        proposals = all_proposals(outputs)
        terms = {}
        if self.distill:
            teacher = self.original(batch, proposals)
            kept = teacher.logits[..., self.retained]
            terms['distill_loss_cls'] = self.distill * logit_distillation_loss(
                logits[..., self.retained], kept)
            terms['distill_loss_bbox'] = self.distill * box_distillation_loss(
                boxes, teacher.boxes, kept.sigmoid().amax(-1))
        if self.hold:
            before = self.before(batch, proposals).logits
            terms['hold_loss'] = self.hold * hold_loss(logits[..., self.old],
                                                       before[..., self.old])
        return terms

    def state_dict(self) -> dict:
        """What the teachers said so far: a resumed run compares with the same numbers."""
        return {name: getattr(self, name).seen for name in ('before', 'original')
                if self.cache_teachers}

    def load_state_dict(self, state: dict) -> None:
        """Restores :meth:`state_dict`."""
        for name, seen in state.items():
            getattr(self, name).seen = seen
