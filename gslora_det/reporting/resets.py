"""Whether a method resets the forgotten classes' rows: a silence that proves nothing."""

from gslora_det.registry import METHODS


def resets_rows(record) -> bool:
    """What the method says of itself; False for one that is not registered here.

    Args:
        record (dict): The content of ``sequence.json``.
    """
    return getattr(METHODS.module_dict.get(record['method']), 'resets_rows', False)
