import torch
from mmengine.optim import OptimWrapper, build_optim_wrapper

import gslora_det  # noqa: F401


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
