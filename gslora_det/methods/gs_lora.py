"""GS-LoRA: group-sparse LoRA (arXiv 2403.11530), and what keeps a long sequence stable."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from gslora_det.lora import inject_lora, lora_disabled, lora_state, lora_targets, merge_lora
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
from gslora_det.methods.base import Method, OriginalDetector
from gslora_det.methods.teacher import Memory, Step, Teacher, evaluating, quiet_reading
from gslora_det.options import (
    COUNT,
    FLAG,
    NOT_NEGATIVE,
    POSITIVE,
    each,
    one_of,
    require,
)
from gslora_det.readers import (
    Batch,
    Losses,
    Reader,
    Reading,
    prefixed,
    reader_of,
)
from gslora_det.registry import METHODS


@METHODS.register_module()
class GSLoRA(Method):
    """Trains groups of LoRA layers so that the forgotten classes vanish.

    ``L = L_retain + beta (L_forget + L_box) + alpha L_structure`` with the detector's own
    loss on the retain batch, a term that pushes the forgotten classes away, their box
    loss as it is, and the group-sparse penalty. ``distill`` and ``hold`` are off in the
    paper's setting.

    Args:
        rank (int): Rank of the updates.
        lora_alpha (float): Updates are scaled by ``lora_alpha / rank``.
        targets (list[str], optional): Patterns of the names of the layers that are adapted, such
            as ``'decoder.layers.*.ffn.*'``; by default the FFNs of a DETR's Transformer, the
            hidden fully connected layers of a box head, or the convolutions of neck and towers.
        alpha (float): Weight of the structure term, the group-sparse penalty.
        beta (float | list[float]): Weight of forgetting, or one a task.
        forget_term (str): ``'full'``, the bounded classification loss of the forget batch
            (the authors' code); ``'positive'``, the same bound on its positives alone; or
            ``'margin'``, a hinge on the log-odds of what is matched.
        bound (float): ``'full'`` and ``'positive'`` end when that loss is above it.
        margin (float): ``'margin'`` ends when log-odds are below ``-margin``.
        norm (str): Of a group: ``'joint'``, all its matrices as one (the authors' code), or
            ``'separate'``, the A and the B apart (the paper's formula).
        update (str): ``'subgradient'`` leaves the penalty to the optimiser;
            ``'proximal'`` takes ``lr * alpha`` off the norm of each group after each step,
            down to exactly zero. A new group has norm 2.3 at rank 8, so ``alpha`` has to be
            thousands of times the 0.0003 that suits an adaptive optimizer.
        distill (float): Weight of distillation: log-odds and boxes of retained classes, on
            both batches, stay with the original detector's.
        hold (float): Weight of holding: log-odds of classes erased earlier do not rise above
            those before this task.
        cache_teachers (bool): Remember by image what distillation and holding compare with.
            Only right where the training pipeline has no random augmentation.
        aux_losses (bool): Supervise all decoder layers of a DETR. Each of them has a bound of
            its own, as has each stage of a cascade.
        **kwargs: See :class:`Method`.

    Raises:
        ValueError: An option is out of range.
    """

    def __init__(self, rank: int = 8, lora_alpha: float = 1.0,
                 targets: Sequence[str] | None = None, alpha: float = 3e-4,
                 beta: float | Sequence[float] = 0.15, forget_term: str = 'full',
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
        self.teacher: Teacher | None = None

    def prepare(self, detector: nn.Module, original_detector: OriginalDetector) -> None:
        """Freezes the detector and injects LoRA: only the groups train."""
        detector.requires_grad_(False)
        targets = lora_targets(detector, self.targets)
        stem_stays = not any(name.startswith(('backbone.', 'neck.')) for name in targets)
        if self.distill and self.old:  # in the first task the original is the base itself
            original = original_detector(share_stem=stem_stays)
            self.teacher = Teacher(original, original.backbone is detector.backbone)
        self.groups = inject_lora(detector, self.rank, targets, self.lora_alpha)

        def before(batch: Batch, places: Tensor | None = None) -> Reading:
            with lora_disabled(self.groups), torch.no_grad(), evaluating(detector):
                if not stem_stays:
                    batch = replace(batch, features=reader_of(detector).features(batch.images))
                return quiet_reading(detector, batch, places)

        self.compare_with(before, self.teacher, detector)

    def compare_with(self, before: Callable[..., Reading],
                     original: Callable[..., Reading] | None, detector: nn.Module) -> None:
        """Keeps who is compared with; without an original that is who was before."""
        def remembered(run: Callable[..., Reading]) -> Callable[..., Reading]:
            return Memory(run, detector) if self.cache_teachers else run

        self.before = remembered(before)
        self.original = remembered(original) if original else self.before

    def loss(self, detector: nn.Module, forget: Batch, retain: Batch) -> dict[str, Tensor]:
        """The terms of GS-LoRA, each already weighted."""
        reader = reader_of(detector)
        readings = reader.read(forget, retain)
        on_forget, on_retain = (reader.losses(each, self.aux_losses) for each in readings)
        terms = prefixed('retain_', on_retain.terms)
        terms.update(self._forget_terms(reader, on_forget))
        if self.update == 'subgradient' and self.groups:
            terms['loss_structure'] = self.alpha * group_sparse_loss(self.groups, self.norm)
        step = Step(readings, (forget, retain))
        terms.update(self._keep_terms(reader, step))
        terms.update(self.further_terms(reader, readings, (on_forget, on_retain), step))
        return terms

    def further_terms(self, reader: Reader, readings: Sequence[Reading],
                      losses: Sequence[Losses], step: Step) -> dict[str, Tensor]:
        """What a method adds that builds on this one; readings and losses of forget, retain."""
        return {}

    def after_step(self, detector: nn.Module, lr: float, progress: float) -> None:
        """The proximal step on the groups, where it is asked for."""
        if self.update == 'proximal':
            group_soft_threshold_(self.groups, lr * self.alpha, self.norm)

    def adapter(self, detector: nn.Module) -> tuple[dict[str, Tensor], dict[str, str]]:
        """A and B of all groups, and their scaling."""
        return lora_state(detector), dict(scaling=repr(self.lora_alpha / self.rank))

    def after_task(self, detector: nn.Module) -> None:
        """Folds the updates into the weights."""
        merge_lora(detector)

    def _forget_terms(self, reader: Reader, losses: Losses) -> dict[str, Tensor]:
        terms, pushes = dict(losses.terms), {}
        for layer, found in losses.matched.items():
            push = self._push(reader.head, found.odds, terms.pop(f'{layer}loss_cls'))
            pushes[f'{layer}loss_cls'] = push
        terms = prefixed('forget_', {**pushes, **terms}, self.beta)
        for layer, found in losses.matched.items():
            terms[f'{layer}forgotten_logit'] = found.odds.detach().sum() / max(
                len(found.odds), 1)
        return terms

    def _push(self, head: nn.Module, odds: Tensor, loss_cls: Tensor) -> Tensor:
        """The term that pushes the forgotten objects' classes away."""
        if self.forget_term == 'margin':
            return margin_forget_loss(odds, self.margin)
        if self.forget_term == 'positive':
            loss = head.loss_cls  # a cross-entropy weighs all alike
            loss_cls = loss.loss_weight * positive_focal_loss(
                odds, getattr(loss, 'alpha', 1.0), getattr(loss, 'gamma', 0.0))
        return bounded_forget_loss(loss_cls, self.bound)

    def _keep_terms(self, reader: Reader, step: Step) -> dict[str, Tensor]:
        terms = {}
        if self.distill:
            teacher = step.said_by(self.original)
            student = reader.at(step.student, teacher)
            kept = teacher.odds[..., self.retained]
            terms['distill_loss_cls'] = self.distill * logit_distillation_loss(
                student.odds[..., self.retained], kept)
            if student.boxes is not None:
                terms['distill_loss_bbox'] = self.distill * box_distillation_loss(
                    student.boxes, teacher.boxes, kept.sigmoid().amax(-1))
        if self.hold:
            before = step.said_by(self.before)
            terms['hold_loss'] = self.hold * hold_loss(
                reader.at(step.student, before).odds[..., self.old], before.odds[..., self.old])
        return terms

    def state_dict(self) -> dict:
        """What the teachers said so far: a resumed run compares with the same numbers."""
        return {name: getattr(self, name).seen for name in ('before', 'original')
                if self.cache_teachers}

    def load_state_dict(self, state: dict) -> None:
        """Restores :meth:`state_dict`."""
        for name, seen in state.items():
            getattr(self, name).seen = seen
