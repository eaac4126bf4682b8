"""What can be wrong in a config that has a ``sequence``, before any data are read."""

import inspect
from collections.abc import Sequence
from typing import Any

import torch
from mmdet.registry import HOOKS, OPTIM_WRAPPERS, OPTIMIZERS, PARAM_SCHEDULERS
from mmengine.config import Config

from gslora_det.checks.settings import LABELS, listed, type_name
from gslora_det.datasets.branch_dataset import BRANCHES, READINGS
from gslora_det.datasets.selection import BUFFER
from gslora_det.options import (
    COUNT,
    COUNT_OR_ZERO,
    FLAG,
    LIST,
    NOT_NEGATIVE,
    POSITIVE,
    SEED,
    TEXT,
    Rule,
    one_of,
    problem,
    unknown,
)
from gslora_det.registry import METHODS

_NEEDED = ('model', 'method', 'train_dataloader', 'val_dataloader', 'val_evaluator',
           'optim_wrapper', 'load_from')
# What these say is checked where classes are known, by TaskSequence, and where another
# sequence's record is read.
_ELSEWHERE = ('order', 'tasks', 'original')
_SEQUENCE = dict(
    num_tasks=COUNT, classes_per_task=COUNT, iters=COUNT, epochs=COUNT, missing=LIST,
    checkpoint_interval=COUNT, pictures=COUNT_OR_ZERO, buffer_seed=SEED, cache_gib=NOT_NEGATIVE,
    requester=TEXT, request_id=TEXT, operator=TEXT, **READINGS, **LABELS)
_BRANCH = dict(batch_size=COUNT, **BUFFER)
_RANDOMNESS = dict(seed=SEED, diff_rank_seed=FLAG, deterministic=FLAG)
# What the AP of a record is: COCO's own, of boxes, under the names that are read.
_EVALUATOR = dict(
    prefix=Rule("'coco' or nothing, the results are read by it", lambda v: v == 'coco'),
    format_only=Rule('False or nothing, it would measure nothing', lambda v: v is False),
    metric=Rule("'bbox', only boxes are measured", lambda v: v in ('bbox', ['bbox'])),
    iou_thrs=Rule('nothing, AP is that of IoU 0.50 to 0.95', lambda v: v is None),
    proposal_nums=Rule('three whole numbers with 100 among them, AP counts 100 an image',
                       lambda v: LIST.holds(v) and len(v) == 3 and 100 in v
                       and all(map(COUNT.holds, v))),
    collect_device=one_of('cpu', 'gpu'))
# The sequence tells the method these.
_GIVEN = dict(classes=['a', 'b'], split=dict(retained=['a'], forgotten=['b']), task=1)


def check_config(cfg: Config) -> None:
    """Checks settings that do not depend on the data.

    Raises:
        ValueError: Something is missing, unknown or out of range; one line lists all.
    """
    for key in ('sequence', 'method', 'optim_wrapper', 'randomness', 'default_hooks', 'visualizer',
                'env_cfg'):
        if not isinstance(cfg.get(key) or {}, dict):
            raise ValueError(f'{cfg.filename}: {key} is {cfg[key]!r}: set dict(…)')
    for key in ('param_scheduler', 'custom_hooks'):
        for name, part in listed(cfg, key):
            if not isinstance(part, dict):
                raise ValueError(f'{cfg.filename}: {name} is {part!r}: set dict(type=…)')
    problems = [f'{key} is missing' for key in _NEEDED if not cfg.get(key)]
    problems += [f'{name} is {value!r}: set a path as text; one with a comma needs quotes'
                 for name, value in (('load_from', cfg.get('load_from')), ('sequence.original', (
                     cfg.get('sequence') or {}).get('original')))
                 if value and not isinstance(value, str)]
    problems += _check_sequence(cfg.sequence or {})
    problems += _check_method(cfg.get('method') or {}, cfg.sequence or {})
    problems += _check_optimizer(cfg.get('optim_wrapper') or {})
    problems += _check_types(cfg)
    problems += _check_loaders(cfg)
    problems += _check_evaluators(cfg)
    problems += _check_lost(cfg)
    problems += _check_settings('randomness', cfg.get('randomness') or {}, _RANDOMNESS)
    problems += _check_auto_scale(cfg.get('auto_scale_lr') or {})
    if problems:
        raise ValueError(f'{cfg.filename}: ' + '; '.join(problems))


def check_devices(cfg: Config) -> None:
    """Checks that this machine has what a run asks for; who only looks at it needs less.

    Raises:
        ValueError: There is no GPU, and it takes one.
    """
    if torch.cuda.is_available():
        return
    if type_name(cfg.optim_wrapper) == 'AmpOptimWrapper':
        raise ValueError('optim_wrapper.type: AmpOptimWrapper needs a GPU: set OptimWrapper, or '
                         'leave it to --amp, which takes bfloat16 on a CPU')
    if cfg.val_evaluator.get('collect_device') == 'gpu':
        raise ValueError('val_evaluator.collect_device is gpu, and there is none: leave it out')


def _check_values(prefix: str, values: dict[str, Any], rules: dict[str, Rule]) -> list[str]:
    """Problems of the values that are set; None stands for a setting that is not."""
    if not isinstance(values, dict):
        return [f'{prefix[:-1]} is {values!r}: set dict(…)']
    return [text for name, rule in rules.items() if values.get(name) is not None
            for text in problem(prefix + name, values[name], rule)]


def _check_settings(name: str, settings: dict[str, Any], rules: dict[str, Rule],
                    others: Sequence[str] = ()) -> list[str]:
    """Settings that there are none of, and wrong values of those that have rules."""
    known = (*rules, *others)
    return ([unknown(key, known, f'{name} has no setting') for key in settings if key not in known]
            + _check_values(f'{name}.', settings, rules))


def _check_sequence(settings: dict) -> list[str]:
    problems = _check_settings('sequence', settings, _SEQUENCE, (*_ELSEWHERE, *BRANCHES))
    for branch in BRANCHES:
        options = settings.get(branch)
        if not isinstance(options, dict):
            problems.append(f'sequence.{branch} is missing: set dict(batch_size=…, '
                            'fraction=… or shots=…)')
            continue
        problems += _check_settings(f'sequence.{branch}', options, _BRANCH)
        if options.get('batch_size') is None:
            problems.append(f'sequence.{branch} needs batch_size, {COUNT.words}')
    if (settings.get('iters') is None) == (settings.get('epochs') is None):
        problems.append('sequence needs either iters (steps a task) or epochs (passes over '
                        'the retain buffer)')
    return problems


def _check_method(options: dict, settings: dict) -> list[str]:
    options = dict(options)
    name = options.pop('type', None)
    # Not METHODS.get, which would import whatever a dotted name says.
    method = METHODS.module_dict.get(name) if isinstance(name, str) else None
    if method is None:
        return [unknown(name, METHODS.module_dict, 'method.type: there is no method')]
    known = method_options(method)
    problems = [unknown(key, known, f'method {name} has no option')
                for key in options if key not in known]
    given = {key: value for key, value in options.items() if key in known}
    problems += [f'method: {text}' for text in _refused(method, given)]
    betas = options.get('beta')
    tasks, num_tasks = settings.get('tasks'), settings.get('num_tasks')
    if LIST.holds(tasks):
        num_tasks = len(tasks)
    if LIST.holds(betas) and COUNT.holds(num_tasks) and len(betas) < num_tasks:
        problems.append(f'method.beta has {len(betas)} values for {num_tasks} tasks')
    return problems


def _refused(method: type, options: dict) -> list[str]:
    """What a method and its bases say of its options.

    Each class checks its own and the first to refuse ends it, so what was refused is left
    out until the others have spoken.
    """
    problems = []
    while True:
        try:
            method(**options, **_GIVEN)
            return problems
        except (TypeError, ValueError) as error:
            refused = options.keys() & set(getattr(error, 'options', ()))
            # Without a value that was refused, one that is needed may be absent.
            if not problems or isinstance(error, ValueError):
                problems.append(str(error))
            if not refused:
                return problems
            options = {k: v for k, v in options.items() if k not in refused}


def sequence_settings() -> list[str]:
    """The names of all settings of a sequence."""
    return [*_SEQUENCE, *_ELSEWHERE, *BRANCHES]


def method_options(method: type) -> list[str]:
    """The options of a method and of the classes that its ``**kwargs`` go to."""
    names = []
    for cls in (cls for cls in method.__mro__ if '__init__' in vars(cls)):
        parameters = inspect.signature(cls.__init__).parameters.values()
        names += [p.name for p in parameters if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            break
    return [name for name in names if name != 'self' and name not in _GIVEN]


def _check_optimizer(wrapper: dict) -> list[str]:
    return (_check_values('optim_wrapper.optimizer.', wrapper.get('optimizer') or {},
                          dict(lr=POSITIVE, weight_decay=NOT_NEGATIVE))
            + _check_values('optim_wrapper.clip_grad.', wrapper.get('clip_grad') or {},
                            dict(max_norm=POSITIVE)))


def _check_types(cfg: Config) -> list[str]:
    """Types that nothing is registered for; MMEngine would find out when a task starts."""
    wrapper = cfg.get('optim_wrapper') or {}
    parts = [('optim_wrapper', wrapper, OPTIM_WRAPPERS),
             ('optim_wrapper.optimizer', wrapper.get('optimizer'), OPTIMIZERS)]
    for key, registry in (('param_scheduler', PARAM_SCHEDULERS), ('custom_hooks', HOOKS)):
        parts += [(name, part, registry) for name, part in listed(cfg, key)]
    problems = []
    for name, part, registry in parts:
        kind = part.get('type') if isinstance(part, dict) else None
        known = {**registry.parent.module_dict, **registry.module_dict}
        if isinstance(kind, str) and '.' not in kind and kind not in known:
            problems.append(unknown(kind, known, f'{name}.type: there is no'))
    return problems


def _check_loaders(cfg: Config) -> list[str]:
    problems = []
    for key in ('train_dataloader', 'val_dataloader'):
        loader = cfg.get(key)
        if loader and not isinstance(loader, dict):
            problems.append(f'{key} is {loader!r}: set dict(…)')
        elif loader and not isinstance(loader.get('dataset'), dict):
            problems.append(f'{key}.dataset is {loader.get("dataset")!r}: set dict(type=…)')
    return problems


def _check_evaluators(cfg: Config) -> list[str]:
    """Only one metric can be split by class, and a sequence reads COCO's AP from it."""
    problems = [
        f"{key} must be one dict(type='CocoMetric', ann_file=…), which is split by class"
        for key in ('val_evaluator', 'test_evaluator')
        if cfg.get(key) and type_name(cfg[key]) not in ('CocoMetric', 'SplitCocoMetric')]
    if problems or not cfg.get('val_evaluator'):
        return problems
    return _check_values('val_evaluator.', cfg.val_evaluator, _EVALUATOR)


def _check_auto_scale(settings: dict) -> list[str]:
    if isinstance(settings, dict) and (not settings.get('enable') or COUNT.holds(
            settings.get('base_batch_size'))):
        return []
    return [f'auto_scale_lr is {settings!r}: set dict(enable=…, base_batch_size=…)']


def _check_lost(cfg: Config) -> list[str]:
    """What would be accepted and do nothing: a task counts steps, and ends with the last."""
    return ([f'{name} counts epochs, which a task does not have: set by_epoch=False'
             for name, part in listed(cfg, 'param_scheduler') if part.get('by_epoch', True)]
            + [f"{name}: a task keeps its last weights, not an EMAHook's mean: leave it out"
               for name, part in listed(cfg, 'custom_hooks') if type_name(part) == 'EMAHook'])
