import pytest
import torch
from mmengine.optim import OptimWrapper, build_optim_wrapper
from support import run_tool

import gslora_det  # noqa: F401
from gslora_det.files import read_json


def step(model, pair, kind):
    wrapper = build_optim_wrapper(model, dict(
        type=kind, optimizer=dict(type='SGD', lr=0.1)))
    with wrapper.optim_context(model):
        losses = model.loss(*pair)
    total, log = model.parse_losses(losses)
    wrapper.update_params(total)
    return log


def test_steps_are_close_to_single_precision_and_cast(build_unlearning, pair):
    logs, models, seen = {}, {}, []
    for kind in (OptimWrapper, 'Bf16OptimWrapper'):
        torch.manual_seed(0)
        models[kind] = model = build_unlearning()
        layer = model.method.groups[0].layers
        next(iter(layer.values())).register_forward_hook(
            lambda module, inputs, output: seen.append(output.dtype))
        logs[kind] = step(model, pair, kind)
    assert seen == [torch.float32, torch.bfloat16]
    exact, cast = logs.values()
    for name in exact:
        torch.testing.assert_close(cast[name].float(), exact[name], rtol=0.02, atol=0.02)
    for a, b in zip(*(m.parameters() for m in models.values())):
        assert b.dtype == torch.float32
        torch.testing.assert_close(b, a, rtol=0.1, atol=0.02)


def test_a_task_ends_within_a_hundredth_of_single_precision(config, tmp_path):
    """Few steps, at a rate at which they change the AP."""
    tasks = []
    for option in ((), ('--amp',)):
        folder = tmp_path / f'run{len(tasks)}'
        cfg = config(folder, **{
            'optim_wrapper.optimizer.lr': 2e-2, 'sequence.num_tasks': 1, 'sequence.iters': 3,
            'sequence.pictures': 0,
            'sequence.original': str(tmp_path / 'run0/sequence.json') if tasks else None})
        cfg.dump(tmp_path / 'config.py')
        result = run_tool('tools/train.py', tmp_path / 'config.py', *option)
        assert result.returncode == 0, result.stderr
        assert ("'Bf16OptimWrapper'" in (folder / 'config.py').read_text()) == bool(option)
        tasks += read_json(folder / 'sequence.json')['tasks']
    original, exact, cast = tasks[0]['original'], *(task['metrics'] for task in tasks)
    assert exact['AP_forgotten'] < original['AP_forgotten'] - 0.03
    for split in ('AP_retained', 'AP_forgotten'):
        assert cast[split] == pytest.approx(exact[split], abs=0.01)
