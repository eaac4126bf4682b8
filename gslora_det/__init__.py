"""Object-detection unlearning on MMDetection.

Importing this package registers its detectors, data sets, methods, hooks and metrics with
MMDet. Where mmcv's compiled operators are missing, it first puts stand-ins in their place.
"""

import warnings

from gslora_det.compat import mmcv_ops

__version__ = '0.1.0'

try:
    mmcv_ops.install()
    with mmcv_ops.quiet_import(), warnings.catch_warnings():
        warnings.simplefilter('ignore')  # deprecations inside the libraries
        import mmdet
        import mmdet.datasets
        import mmdet.engine
        import mmdet.evaluation
        import mmdet.models
        import mmdet.visualization  # noqa: F401
except ImportError as error:
    raise ImportError(
        f'gslora_det needs MMDetection 3.3 or later ({error}): pip install '
        'onedl-mmdetection onedl-mmcv onedl-mmengine') from error

if tuple(map(int, mmdet.__version__.split('.')[:2])) < (3, 3):
    raise ImportError(f'gslora_det needs MMDetection 3.3 or later, {mmdet.__version__} is '
                      'installed: pip install -U onedl-mmdetection')

from gslora_det import datasets, evaluation, methods, models  # noqa: E402, F401
from gslora_det.api import attack, erase, report  # noqa: E402
from gslora_det.before_after import BeforeAfter  # noqa: E402
from gslora_det.engine import bf16_optim_wrapper, hooks  # noqa: E402, F401

__all__ = ['BeforeAfter', 'attack', 'erase', 'report']
