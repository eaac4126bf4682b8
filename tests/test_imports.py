"""A lower floor of the house never imports a higher one."""

import ast

import pytest
from support import ROOT

# From the ground up. A module stands on the floor of the longest of these names that it begins
# with; packages on one floor do not know each other.
FLOORS = (
    ('compat', 'files', 'options', 'quiet', 'registry', 'stops', 'words',
     'class_names', 'class_rows'),
    ('class_split', 'weights', 'lora'),
    ('losses', 'datasets', 'evaluation', 'process'),
    ('readers', 'visualization', 'checks'),
    ('methods', 'reporting', 'recipe'),
    ('models', 'config_file'),
    ('engine', ),
    # Of the checks, these run what the others and the engine make of a config.
    ('comparison', 'attacks', 'onnx', 'checks.doctor', 'checks.verification'),
    ('reporting.build', 'benchmark'),
    ('api', 'before_after'),
)
FLOOR_OF = {name: number for number, floor in enumerate(FLOORS) for name in floor}
PACKAGE = ROOT / 'gslora_det'


def name_of(module):
    """The name in :data:`FLOORS` that a module of the package stands on."""
    parts = module.split('.')
    names = ('.'.join(parts[:length]) for length in range(len(parts), 0, -1))
    return next((name for name in names if name in FLOOR_OF), None)


def imported(source):
    """The modules of the package that a source text imports, and the lines where it does."""
    for node in ast.walk(ast.parse(source)):
        found = []
        if isinstance(node, ast.ImportFrom) and not node.level:
            # ``from gslora_det.engine import plan`` names a module only in its second half.
            found = [f'{node.module}.{alias.name}' for alias in node.names]
        elif isinstance(node, ast.Import):
            found = [alias.name for alias in node.names]
        for name in found:
            if name.startswith('gslora_det.'):
                yield name[len('gslora_det.'):], node.lineno


def upward(module, source):
    """What a module imports of higher floors, or of other packages on its own."""
    def height(name):
        return FLOOR_OF[name_of(name)], name.split('.')[0] != module.split('.')[0]

    return [f'{module}:{line} imports {other}' for other, line in imported(source)
            if name_of(other) and height(other) > height(module)]


def modules():
    for path in sorted(PACKAGE.rglob('*.py')):
        parts = path.relative_to(PACKAGE).with_suffix('').parts
        if parts != ('__init__', ):  # which registers everything
            yield '.'.join(part for part in parts if part != '__init__'), path


def test_every_module_has_a_floor():
    assert [module for module, _ in modules() if name_of(module) is None] == []


def test_no_module_imports_a_higher_floor():
    assert [found for module, path in modules()
            for found in upward(module, path.read_text('utf-8'))] == []


@pytest.mark.parametrize('module, source', [
    ('methods.ewc', 'from gslora_det.engine.plan import TaskPlan'),
    ('methods.ewc', 'from gslora_det import engine'),
    ('methods.ewc', 'from gslora_det.models import UnlearningDetector'),
    ('methods.ewc', 'def later():\n    import gslora_det.models.unlearning_detector'),
    ('losses.forget', 'from gslora_det.methods.base import Method'),
    ('lora.layer', 'from gslora_det.weights import read_weights'),
    ('class_split', 'from gslora_det.engine import hooks'),
    ('weights.sources', 'from gslora_det.models import UnlearningDetector'),
    ('checks.config', 'from gslora_det.checks.doctor import checks'),
    ('engine.plan', 'from gslora_det.checks import verification')])
def test_what_would_be_found(module, source):
    assert upward(module, source)


@pytest.mark.parametrize('module, source', [
    ('methods.ewc', 'from gslora_det.methods.base import Method'),
    ('methods.ewc', 'from gslora_det.losses import prototype_divergence'),
    ('engine.plan', 'from gslora_det.checks import config'),
    ('engine.plan', 'from mmengine import engine')])
def test_what_is_allowed(module, source):
    assert not upward(module, source)
