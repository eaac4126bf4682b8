"""What an attack is compared with: it proves nothing without these.

``'original'``: the detector before any erasure, which knows the classes. ``'oracle'``: one that
never saw them, trained from the start without; what an attack finds there is not left over, it
is learned. ``'head mask'``: the original with reset class rows, which only hides; an attack that
does not bring it back finds nothing. ``'shuffled labels'``, where at least four classes were
erased: the unlearned detector, with wrong labels in training; what comes back there is an
artefact of the measurement. ``'retained classes'``: the unlearned detector with reset rows of as
many classes that it kept, of those that have training and validation objects: how fast comes back
what it knows?
"""

import random
from collections.abc import Sequence

from torch import Tensor

from gslora_det.attacks.base import Target
from gslora_det.attacks.material import Material
from gslora_det.class_rows import fresh_logit
from gslora_det.methods.head_mask import mask_classes_


def targets(names: Sequence[str], material: Material, unlearned: dict[str, Tensor],
            original: dict[str, Tensor], oracle: dict[str, Tensor] | None = None,
            seed: int = 0) -> dict[str, Target]:
    """The unlearned detector and its controls, by name; those that there are.

    Args:
        names (list[str]): Of controls, see :mod:`gslora_det.attacks.controls`.
        material (Material): Which classes were erased.
        unlearned (dict[str, Tensor]): The weights that are attacked.
        original (dict[str, Tensor]): Those before any erasure.
        oracle (dict[str, Tensor], optional): Those of a detector that never saw the classes.
        seed (int): Of the choice of retained classes.
    """
    erased = material.erased
    known = material.known
    others = sorted(random.Random(seed).sample(known, min(len(erased), len(known))))

    def masked(weights: dict[str, Tensor], classes: Sequence[int]) -> dict[str, Tensor]:
        detector = material.detector(weights)
        mask_classes_(detector, classes, fresh_logit())
        return {name: value.cpu() for name, value in detector.state_dict().items()}

    make = {
        'unlearned': lambda: (unlearned, erased),
        'original': lambda: (original, erased),
        'oracle': lambda: (oracle, erased),
        'head mask': lambda: (masked(original, erased), erased),
        'shuffled labels': lambda: (unlearned, erased, True),
        'retained classes': lambda: (masked(unlearned, others), others)}
    none = {'oracle': oracle is None, 'retained classes': not others}
    return {name: Target(name, *make[name](), original=original) for name in ('unlearned', *names)
            if not none.get(name)}
