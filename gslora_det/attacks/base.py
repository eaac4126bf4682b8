"""What an attack is: somebody tries to bring the forgotten classes back."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from gslora_det.attacks.material import Material
from gslora_det.readers import reader_of


@dataclass(frozen=True)
class Target:
    """A detector that is attacked.

    Attributes:
        name (str): ``'unlearned'``, or which control it is.
        weights (dict[str, Tensor]): Those of the plain detector.
        classes (list[int]): The classes that the attack tries to bring back.
        shuffled (bool): Whether their labels are wrong, each drawn from them by chance.
        original (dict[str, Tensor], optional): Weights of the detector before any erasure.
    """
    name: str
    weights: dict[str, Tensor]
    classes: Sequence[int]
    shuffled: bool = False
    original: dict[str, Tensor] | None = None


class Attack:
    """Base class of all attacks, one a file.

    Args:
        material (Material): The images that the attacker has, and those to measure on.

    Attributes:
        name (str): As in ``attacks.json``.
        title (str): What it does, as in ``... 12 AP``: for a table's row.
        x (str): What a curve counts, such as ``'epochs'``.
        controls (tuple[str]): What is attacked in the same way beside the unlearned detector,
            see :mod:`gslora_det.attacks.controls`.
        trains (bool): Whether it trains on images.
        embeds (bool): Whether it needs one embedding a place.
        needs_original (bool): Whether it is handed the original's weights: it tells how near they
            are, for who has them need not bring anything back.
        measures (str): What of a point says how much is there: ``'AP_forgotten'``, or another
            number from 0 to 100, of which ``chance`` is that of who knows nothing.
        finds_hidden (bool): Whether it brings back what is only hidden: where it does not bring
            back the head mask, it proves nothing.
        settings (dict[str, dict]): Its variants by name, as arguments of :meth:`run`.
    """
    name = ''
    title = ''
    x = ''
    controls: Sequence[str] = ('original', 'oracle', 'head mask')
    trains = False
    embeds = False
    needs_original = False
    measures = 'AP_forgotten'
    chance = 0.0
    finds_hidden = False
    settings: dict[str, dict] = {'': {}}

    def __init__(self, material: Material) -> None:
        self.material = material

    def misses(self, detector: nn.Module, **setting) -> str | None:
        """What is lacking for this attack, in a few words; None where it can be made."""
        return 'one embedding a place' if self.embeds and not reader_of(detector).embeds else None

    def images(self, target: Target) -> list[int]:
        """Indices of the training images: as Fig. 6 of arXiv 2403.11530, a tenth of each."""
        return sorted({*self.material.share(target.classes, 0.1),
                       *self.material.share(self.material.retained, 0.1)})

    def run(self, target: Target, **setting) -> list[dict]:
        """Attacks; gives the points of a curve, each with ``x`` and what was measured.

        AP and shares are in percent. The curve is empty where drawn training images and
        validation images do not both show objects of the classes.
        """
        raise NotImplementedError
