import pytest
from support import run

WITHOUT = """
import sys

class Finder:

    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in {names}:
            raise ModuleNotFoundError(f'No module named {{name!r}}', name=name)

sys.meta_path.insert(0, Finder())
import gslora_det
"""


@pytest.mark.parametrize('names', [['mmdet', 'mmcv', 'mmengine'], ['mmengine'], ['mmdet']])
def test_a_missing_mmdetection_is_said_with_the_command_that_installs_it(names):
    result = run('-c', WITHOUT.format(names=names))
    last = result.stderr.splitlines()[-1]
    assert last.startswith('ImportError: gslora_det needs MMDetection 3.3 or later (No module')
    assert last.endswith('pip install onedl-mmdetection onedl-mmcv onedl-mmengine')
