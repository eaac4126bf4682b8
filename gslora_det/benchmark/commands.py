"""Whole commands: imports, help, and the sequence of seven requests."""

import sys
import tempfile
from pathlib import Path

import gslora_det
from gslora_det.benchmark.steps import GLYPH80
from gslora_det.benchmark.timing import Cost, cost_of_command, medians

_PACKAGE = Path(gslora_det.__file__).parent
_MODULES = ', '.join(f'mmdet{part}' for part in (
    '', '.datasets', '.engine', '.evaluation', '.models', '.visualization'))
# MMDet does not import without mmcv's operators, for which this package has stand-ins.
_MMDET = f"""
import sys, types, warnings
warnings.simplefilter('ignore')
package = sys.modules['gslora_det'] = types.ModuleType('gslora_det')
package.__path__ = [{str(_PACKAGE)!r}]
from gslora_det.compat import mmcv_ops
mmcv_ops.install()
import {_MODULES}
"""
_HELP = """
import sys
sys.argv[1:] = ['--help']
from gslora_det_cli.__main__ import main
main()
"""


def imports(repeats: int) -> list[Cost]:
    """Of ``mmdet``, with all that it registers, and of ``gslora_det``, in turn."""
    return _in_turn((_MMDET, 'import gslora_det'), repeats)


def help_of_the_command(repeats: int) -> Cost:
    """Of ``gslora --help``."""
    return _in_turn((_HELP, ), repeats)[0]


def _in_turn(codes: tuple[str, ...], repeats: int) -> list[Cost]:
    return medians([[cost_of_command(sys.executable, '-c', code) for code in codes]
                    for _ in range(repeats + 1)][1:])  # files are in memory then


def sequence(tasks: int, steps: int = 0) -> Cost:
    """Of requests of ten classes each on Glyph80 by linear erasure, from the command on.

    Args:
        tasks (int): Number of requests.
        steps (int): Steps of each; by default the recipe's.
    """
    options = [f'sequence.num_tasks={tasks}'] + [f'sequence.iters={steps}'] * bool(steps)
    with tempfile.TemporaryDirectory() as folder:
        return cost_of_command(
            sys.executable, '-m', 'gslora_det_cli', 'train', GLYPH80, '--work-dir', folder,
            '--cfg-options', *options)
