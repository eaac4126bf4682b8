"""MMDet without the compiled operators of mmcv.

MMDet does not import without the extension module ``mmcv._ext``, which takes a compiler and a
quarter of an hour to build. :func:`install` registers a stand-in where it is missing: plain
PyTorch for the operators that the tested detectors call, a clear error for every other one.
"""
import contextlib
import importlib.machinery
import importlib.util
import sys
import types
from collections.abc import Iterator

from gslora_det.compat.operators import OPERATORS, unavailable

_EXTENSION = 'mmcv._ext'


def compiled() -> bool:
    """Whether mmcv's own compiled operators are installed."""
    spec = importlib.util.find_spec(_EXTENSION)
    return spec is not None and spec.origin != __name__


def install() -> bool:
    """Register the stand-in for ``mmcv._ext`` where that module is missing.

    Call it before MMDet or ``mmcv.ops`` is imported; a second call changes nothing.

    Returns:
        bool: True if the stand-in is in use, False if mmcv's own operators are.
    """
    if compiled():
        return False
    if _EXTENSION not in sys.modules:
        sys.modules[_EXTENSION] = _stand_in()
    return True


@contextlib.contextmanager
def quiet_import() -> Iterator[None]:
    """Drop MMDet's line 'Could not import OneDL' while MMDet is imported.

    The line is meant for level DEBUG, but MMEngine prints what has no logger
    whatever its level. Everything else that is printed meanwhile passes.
    """
    from mmengine.logging import logger

    def print_others(message: object) -> None:
        if not str(message).startswith('Could not import OneDL'):
            print(message)

    # A global of that one module hides the builtin from it alone, and no importer
    # can keep a reference to it, unlike a patched ``print_log`` or ``sys.stdout``.
    logger.print = print_others
    try:
        yield
    finally:
        vars(logger).pop('print', None)


def _stand_in() -> types.ModuleType:
    module = types.ModuleType(_EXTENSION, 'Stand-in for the operators of mmcv.')
    # The origin is what `compiled` tells the stand-in by.
    module.__spec__ = importlib.machinery.ModuleSpec(_EXTENSION, loader=None, origin=__name__)
    vars(module).update({op.__name__: op for op in OPERATORS})
    module.__getattr__ = unavailable
    return module
