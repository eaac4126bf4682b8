"""What an unlearning method is."""

from collections.abc import Callable, Iterator, Sequence

from mmdet.structures import DetDataSample
from torch import Tensor, nn

from gslora_det.class_split import ClassSplit
from gslora_det.readers import Batch

# (branch, number) -> so many images of the branch's buffer with their annotations.
Images = Callable[[str, int], Iterator[tuple[Tensor, DetDataSample]]]
# Makes a frozen copy of the detector as it was before any erasure.
OriginalDetector = Callable[..., nn.Module]


def trained_parameters(detector: nn.Module) -> dict[str, nn.Parameter]:
    """The parameters that train, by name."""
    return {n: p for n, p in detector.named_parameters() if p.requires_grad}


class Part:
    """What a method has beside its formula: a teacher, wrong labels, a pull to the start.

    The method calls it at its own moments.
    """

    def prepare(self, detector: nn.Module, original_detector: OriginalDetector) -> None:
        """As :meth:`Method.prepare`; what trains is already chosen."""

    def state_dict(self) -> dict:
        """State that a resumed run needs, by names that no other part uses."""
        return {}

    def load_state_dict(self, state: dict) -> None:
        """Restores :meth:`state_dict`, from the state of all parts."""


class Method:
    """Base class of all methods: what trains, and on which loss.

    Args:
        classes (list[str]): All classes of the data set, in the detector's order.
        split (dict[str, list[str]]): The task's ``retained``, ``forgotten`` and ``old``
            classes; ``missing`` are retained ones without training data.
        task (int): Number of the task in its sequence, from 1 on. The sequence sets
            these three.

    Attributes:
        trains (bool): Whether there are training steps; a method without them does its
            work in :meth:`before_task`.
        branches (tuple[str]): The batches that a step looks at; the others never reach
            the detector.
        embeds (bool): Whether it needs embeddings, which not every reader gives.
        resets_rows (bool): Whether it resets the rows of the forgotten classes in all class
            layers, so that what these no longer say proves nothing.
        fresh (bool): Whether it starts from the detector as its config initialises it, not
            from weights.
    """
    trains = True
    branches: tuple[str, ...] = ('forget', 'retain')
    embeds = False
    resets_rows = False
    fresh = False

    def __init__(self, classes: Sequence[str], split: dict[str, Sequence[str]],
                 task: int = 1) -> None:
        self.retained, self.forgotten, self.old, self.missing = ClassSplit(**split).labels(
            classes).values()
        self.task = task

    def prepare(self, detector: nn.Module, original_detector: OriginalDetector) -> None:
        """Gets a freshly loaded detector ready: freezes, adds modules, keeps teachers.

        Args:
            detector (nn.Module): The detector of this task; changed in place.
            original_detector (callable): Makes a frozen copy of the detector as it was
                before any erasure; with ``share_stem=True`` it shares the given
                detector's backbone and neck, where they are the original's still, for
                methods that keep them frozen. Call it before the detector is changed, and
                only where the copy is needed.
        """

    def before_task(self, detector: nn.Module, images: Images) -> None:
        """Called once before the first step, with the buffers' images at hand."""

    def loss(self, detector: nn.Module, forget: Batch | None,
             retain: Batch | None) -> dict[str, Tensor]:
        """The loss terms of a step; keys that contain ``loss`` add up to the total.

        A branch that is not in ``branches`` is None.
        """
        raise NotImplementedError

    def after_step(self, detector: nn.Module, lr: float, progress: float) -> None:
        """Called after each step of the optimiser.

        Args:
            detector (nn.Module): The detector that trains.
            lr (float): The step's learning rate.
            progress (float): The share of the task's training that is done, up to 1.
        """

    def after_task(self, detector: nn.Module) -> None:
        """Called once when training is over: leaves a plain detector's weights."""

    def adapter(self, detector: nn.Module) -> tuple[dict[str, Tensor], dict[str, str]]:
        """Tensors and facts to keep beside the merged weights, before ``after_task``."""
        return {}, {}

    def state_dict(self) -> dict:
        """State of the method that a resumed run needs, beside the detector's."""
        return {}

    def load_state_dict(self, state: dict) -> None:
        """Restores :meth:`state_dict`."""
