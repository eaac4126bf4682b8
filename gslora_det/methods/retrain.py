"""Retraining on what may be kept."""

from gslora_det.methods.rehearsal_finetune import RehearsalFinetune
from gslora_det.options import one_of, require
from gslora_det.registry import METHODS


@METHODS.register_module()
class Retrain(RehearsalFinetune):
    """Trains on retain data only, from the detector's own initialisation.

    Args:
        start (str): ``'scratch'``: weights as the detector's config initialises them (a
            backbone with ``init_cfg`` starts from its checkpoint, say ImageNet's).
            ``'checkpoint'``: the weights that this task starts from, which is what the
            authors' code does: its new model is discarded.
        aux_losses (bool): As of :class:`FineTuning`; off by default, as in GS-LoRA's scripts.
        **kwargs: See :class:`RehearsalFinetune`. From scratch, ``freeze_norms`` is off by
            default: batch norms that start anew have to learn.

    Raises:
        ValueError: ``start`` is unknown.
    """

    def __init__(self, start: str = 'scratch', aux_losses: bool = False, **kwargs) -> None:
        require('Retrain', start=(start, one_of('scratch', 'checkpoint')))
        # Batch norms that start anew have to learn; trained ones stay as in DETR.
        kwargs.setdefault('freeze_norms', start == 'checkpoint')
        super().__init__(aux_losses=aux_losses, **kwargs)
        self.fresh = start == 'scratch'
