"""Which reader a detector has."""

from torch import nn

from gslora_det.readers.base import Reader
from gslora_det.registry import READERS


def reader_of(detector: nn.Module) -> Reader:
    """The reader of the detector's family.

    Raises:
        ValueError: No reader fits; one line says what each of them misses.
    """
    missed = {}
    for name, reader in READERS.module_dict.items():
        missed[name] = reader.misses(detector)
        if missed[name] is None:
            return reader(detector)
    raise ValueError(f'{type(detector).__name__} cannot be unlearned: '
                     + '; '.join(f'{name} misses {what}' for name, what in missed.items())
                     + ' (docs/add-a-detector.md says how to add a reader)')
