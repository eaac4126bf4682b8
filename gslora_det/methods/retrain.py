"""Retraining on what may be kept."""

from torch import nn

from gslora_det.methods.base import OriginalDetector
from gslora_det.methods.rehearsal_finetune import RehearsalFinetune
from gslora_det.options import one_of, require
from gslora_det.quiet import hushed_logs
from gslora_det.registry import METHODS


@METHODS.register_module()
class Retrain(RehearsalFinetune):
    """Trains on retain data only, from the detector's own initialisation.

    Args:
        start (str): ``'scratch'``: weights as the detector's config initialises them (a
            backbone with ``init_cfg`` starts from its checkpoint, say ImageNet's).
            ``'checkpoint'``: the weights that this task starts from, which is what the
            authors' code does: its new model is discarded.
        aux_losses (bool): Off by default, as in GS-LoRA's scripts.
        **kwargs: See :class:`RehearsalFinetune`.

    Raises:
        ValueError: ``start`` is unknown.
    """

    def __init__(self, start: str = 'scratch', aux_losses: bool = False, **kwargs) -> None:
        require('Retrain', start=(start, one_of('scratch', 'checkpoint')))
        # Batch norms that start anew have to learn; trained ones stay as in DETR.
        kwargs.setdefault('freeze_norms', start == 'checkpoint')
        super().__init__(aux_losses=aux_losses, **kwargs)
        self.start = start

    def prepare(self, detector: nn.Module, original_detector: OriginalDetector) -> None:
        """Draws new weights where training starts from scratch."""
        super().prepare(detector, original_detector)
        if self.start == 'scratch':
            # The detector's own initialisation leaves parts as PyTorch makes them, such as
            # the rows of the class head: these are the trained ones here.
            for module in detector.modules():
                for reset in ('reset_parameters', '_reset_parameters'):
                    if hasattr(module, reset):
                        getattr(module, reset)()
            with hushed_logs():  # MMEngine logs four lines a parameter
                detector.init_weights()
