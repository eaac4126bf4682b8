"""The stand-in against naive loops, closed forms and numeric differences."""
import importlib.util
import math
import subprocess
import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import mmcv
import pytest
import torch

from gslora_det.compat import mmcv_ops
from gslora_det.compat.operators import how_to_compile

mmcv_ops.install()
stand_in = sys.modules.get('mmcv._ext')
# Looked up as a file: a wrong answer of `compiled` must fail here, not skip.
pytestmark = pytest.mark.skipif(
    any(Path(mmcv.__file__).parent.glob('_ext.*')),
    reason='mmcv has its own compiled operators')

DEVICES = ['cpu'] + ['cuda'] * torch.cuda.is_available()


def run_python(code, *paths):
    """Standard output of ``code``, where ``m`` is the module without what its package does."""
    folder = str(Path(mmcv_ops.__file__).parents[1])
    lines = ['import sys, types', f'sys.path[:0] = {[*map(str, paths)]}',
             'sys.modules["gslora_det"] = package = types.ModuleType("gslora_det")',
             f'package.__path__ = [{folder!r}]', 'from gslora_det.compat import mmcv_ops as m',
             code]
    done = subprocess.run([sys.executable, '-c', '\n'.join(lines)],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def bilinear(image, y, x):
    """``image`` (nested lists) at pixel coordinates; zero outside."""
    total = 0.
    for row in (math.floor(y), math.floor(y) + 1):
        for column in (math.floor(x), math.floor(x) + 1):
            if 0 <= row < len(image) and 0 <= column < len(image[0]):
                total += ((1 - abs(y - row)) * (1 - abs(x - column))
                          * image[row][column])
    return total


def attention_inputs(device='cpu'):
    generator = torch.Generator().manual_seed(0)
    shapes = torch.tensor([[4, 3], [2, 2]])
    starts = torch.tensor([0, 12])
    value = torch.randn(2, 16, 2, 3, dtype=torch.double, generator=generator)
    # A little more than [0, 1]: some of the points fall outside.
    locations = torch.rand(
        2, 4, 2, 2, 2, 2, dtype=torch.double, generator=generator) * 1.4 - 0.2
    weights = torch.rand(2, 4, 2, 2, 2, dtype=torch.double, generator=generator)
    return [t.to(device) for t in (value, shapes, starts, locations, weights)]


@pytest.mark.parametrize('device', DEVICES)
def test_deformable_attention_is_a_weighted_sum_of_bilinear_samples(device):
    inputs = attention_inputs(device)
    output = stand_in.ms_deform_attn_forward(*inputs, im2col_step=64)
    value, shapes, starts, locations, weights = (t.tolist() for t in inputs)
    for b in range(2):
        for q in range(4):
            for channel in range(6):
                head, dim = divmod(channel, 3)
                expected = 0.
                for level, (height, width) in enumerate(shapes):
                    image = [[
                        value[b][starts[level] + y * width + x][head][dim]
                        for x in range(width)] for y in range(height)]
                    for point in range(2):
                        x, y = locations[b][q][head][level][point]
                        expected += weights[b][q][head][level][point] * bilinear(
                            image, y * height - 0.5, x * width - 0.5)
                assert output[b, q, channel].item() == pytest.approx(expected)


@pytest.mark.parametrize('device', DEVICES)
def test_gradients_of_deformable_attention_match_numeric_differences(device):
    from mmcv.ops.multi_scale_deform_attn import MultiScaleDeformableAttnFunction
    value, shapes, starts, locations, weights = attention_inputs(device)
    assert torch.autograd.gradcheck(
        lambda v, p, w: MultiScaleDeformableAttnFunction.apply(
            v, shapes, starts, p, w, 64),
        [t.requires_grad_() for t in (value, locations, weights)])


def test_deformable_attention_keeps_half_precision():
    value, shapes, starts, locations, weights = attention_inputs()
    exact = stand_in.ms_deform_attn_forward(
        value, shapes, starts, locations, weights, 64)
    half = stand_in.ms_deform_attn_forward(
        value.half(), shapes, starts, locations.half(), weights.half(), 64)
    assert half.dtype == torch.half
    torch.testing.assert_close(half.double(), exact, atol=0.02, rtol=0)


@pytest.mark.parametrize('device', DEVICES)
@pytest.mark.parametrize('weighted', [False, True])
def test_focal_loss_follows_its_formula(device, weighted):
    from mmcv.ops import sigmoid_focal_loss
    logits = torch.tensor([[1.5, -2.], [0., 4.], [-30., 30.]], dtype=torch.double)
    target, weight = [1, 0, 0 if weighted else 2], [0.5, 3.]  # 2 is background
    loss = sigmoid_focal_loss(
        logits.to(device), torch.tensor(target, device=device), 2., 0.25,
        torch.tensor(weight, dtype=torch.double, device=device) if weighted else None,
        'none')
    for n, row in enumerate(logits.tolist()):
        for c, logit in enumerate(row):
            p = 1 / (1 + math.exp(-logit))
            q = 1 / (1 + math.exp(logit))
            expected = (-0.25 * q**2 * math.log(p) if target[n] == c else
                        -0.75 * p**2 * math.log(q))
            expected *= weight[target[n]] if weighted else 1
            assert loss[n, c].item() == pytest.approx(expected)


@pytest.mark.parametrize('device', DEVICES)
def test_gradient_of_focal_loss_matches_numeric_differences(device):
    from mmcv.ops import sigmoid_focal_loss
    logits = torch.tensor([[1.5, -2.], [0., 4.]], dtype=torch.double, device=device)
    target = torch.tensor([1, 2], device=device)
    for reduction in ('none', 'mean', 'sum'):
        assert torch.autograd.gradcheck(
            lambda x, r=reduction: sigmoid_focal_loss(x, target, 2., 0.25, None, r),
            logits.requires_grad_())


def test_nms_drops_the_worse_of_two_that_overlap():
    boxes = torch.tensor([[0., 0., 10., 10.], [20., 20., 30., 30.],
                          [0., 0., 10., 8.], [0., 0., 10., 5.]])
    scores = torch.tensor([0.6, 0.7, 0.9, 0.5])
    # IoU with the box of score 0.9: 0.8 and 0.625; a threshold is not exceeded
    # by its own value.
    assert stand_in.nms(boxes, scores, 0.7, 0).tolist() == [2, 1, 3]
    assert stand_in.nms(boxes, scores, 0.625, 0).tolist() == [2, 1, 3]
    assert stand_in.nms(boxes, scores, 0.6, 0).tolist() == [2, 1]
    # Touching boxes share a pixel only where pixels have a width.
    touching = torch.tensor([[0., 0., 0., 0.], [0., 0., 0., 1.]])
    assert stand_in.nms(touching, scores[:2], 0.4, 0).tolist() == [1, 0]
    assert stand_in.nms(touching, scores[:2], 0.4, 1).tolist() == [1]
    assert stand_in.nms(boxes[:0], scores[:0], 0.5, 0).tolist() == []


@pytest.mark.parametrize('device', DEVICES)
def test_nms_matches_brute_force(device):
    from mmcv.ops import nms
    generator = torch.Generator().manual_seed(0)
    corner = torch.rand(60, 2, generator=generator) * 50
    boxes = torch.cat([corner, corner + 5 + torch.rand(60, 2, generator=generator)
                       * 30], dim=1)
    scores = torch.rand(60, generator=generator)

    def iou(a, b):
        width = min(a[2], b[2]) - max(a[0], b[0])
        height = min(a[3], b[3]) - max(a[1], b[1])
        overlap = max(width, 0) * max(height, 0)
        area = sum((c[2] - c[0]) * (c[3] - c[1]) for c in (a, b))
        return overlap / (area - overlap)

    rows, kept = boxes.tolist(), []
    for index in sorted(range(60), key=lambda i: -scores[i].item()):
        if all(iou(rows[index], rows[k]) <= 0.4 for k in kept):
            kept.append(index)
    dets, indices = nms(boxes.to(device), scores.to(device), 0.4)
    assert 1 < len(kept) < 60
    assert indices.tolist() == kept
    torch.testing.assert_close(dets[:, 4].cpu(), scores[kept])


ROIS = torch.tensor([[0, 8., 4., 24., 20.], [1, 6., 6., 30., 12.],
                     [0, 10., 2., 18., 27.]], dtype=torch.double)


@pytest.mark.parametrize('device', DEVICES)
@pytest.mark.parametrize('sampling_ratio', [0, 1, 3])
@pytest.mark.parametrize('aligned', [True, False])
def test_roi_align_of_a_plane_is_its_value_at_the_bin_centres(
        device, sampling_ratio, aligned):
    from mmcv.ops import roi_align
    # Two images of 16 x 20 at scale 1/2: 3x + 7y + 1 and the constant 5.
    y, x = torch.meshgrid(torch.arange(16.), torch.arange(20.), indexing='ij')
    plane = 3 * x + 7 * y + 1
    images = torch.stack([plane, torch.full_like(plane, 5)]).double()[:, None]
    output = roi_align(images.to(device), ROIS.to(device), (2, 4), 0.5,
                       sampling_ratio, 'avg', aligned)
    assert output.shape == (3, 1, 2, 4)
    for n, (image, x1, y1, x2, y2) in enumerate(ROIS.tolist()):
        for row in range(2):
            for column in range(4):
                cx = (x1 + (x2 - x1) * (column + 0.5) / 4) / 2 - 0.5 * aligned
                cy = (y1 + (y2 - y1) * (row + 0.5) / 2) / 2 - 0.5 * aligned
                expected = 5 if image else 3 * cx + 7 * cy + 1
                assert output[n, 0, row, column].item() == pytest.approx(expected)


def test_roi_align_at_the_border():
    from mmcv.ops import roi_align
    image = torch.tensor([[[[1., 2.], [3., 4.]]]])
    # One sample in the middle of each RoI; (x, y) = (-0.5, -0.5) is clamped to the
    # corner, (-2, 0) is more than a pixel outside.
    rois = torch.tensor([[0, -1., -1., 1., 1.], [0, -3., 0., -0.9999, 1.],
                         [0, 1., 1., 1., 1.], [0, 1., 0., 2., 1.]])
    output = roi_align(image, rois, (1, 1), 1., 1, 'avg', True)
    assert output.flatten().tolist() == pytest.approx([1., 0., 2.5, 2.])
    # The unaligned form gives every RoI an extent of at least one pixel.
    point = torch.zeros(1, 5)
    assert roi_align(image, point, (1, 1), 1., 1, 'avg', False).item() == 2.5
    # An adaptive grid has no sample at all in a RoI without extent.
    assert roi_align(image, rois[2:3], (1, 1), 1., 0, 'avg', True).item() == 0


@pytest.mark.parametrize('device', DEVICES)
def test_gradient_of_roi_align_matches_numeric_differences(device):
    from mmcv.ops import roi_align
    images = torch.randn(2, 2, 4, 5, dtype=torch.double, device=device)
    images = images.requires_grad_()
    rois = ROIS.to(device)
    assert torch.autograd.gradcheck(
        lambda x: roi_align(x, rois, (2, 2), 0.125, 0, 'avg', True), images)
    roi_align(images, rois[:0], (2, 2), 0.125, 0, 'avg', True).sum().backward()
    assert images.grad.abs().sum() == 0


def test_other_operators_name_themselves_and_the_remedy():
    from mmcv.ops import soft_nms
    with pytest.raises(RuntimeError, match='softnms.*pip install --no-build-iso'):
        soft_nms(torch.rand(2, 4), torch.rand(2))
    from mmcv.ops import roi_align
    with pytest.raises(RuntimeError, match='max.*pip install --no-build-isolation'):
        roi_align(torch.rand(1, 1, 4, 4), ROIS.float(), 2, 1., 0, 'max')


@pytest.mark.parametrize('lite, command', [
    (None, 'pip install --no-build-isolation onedl-mmcv'),
    ('2.1.0', 'pip uninstall mmcv-lite, then pip install --no-build-isolation mmcv==2.1.0')])
def test_the_remedy_is_that_of_the_installed_distribution(monkeypatch, lite, command):
    def version(name):
        assert name == 'mmcv-lite'
        if lite is None:
            raise PackageNotFoundError(name)
        return lite

    monkeypatch.setattr('gslora_det.compat.operators.version', version)
    assert how_to_compile().startswith(command)


def test_stand_in_is_a_well_behaved_module():
    assert mmcv_ops.install() and mmcv_ops.install()
    assert sys.modules['mmcv._ext'] is stand_in
    assert importlib.util.find_spec('mmcv._ext').name == 'mmcv._ext'
    for name in ('__path__', '__file__', '__wrapped__'):
        assert not hasattr(stand_in, name)


def test_mmdet_imports_in_silence_and_other_lines_pass():
    output = run_python(
        'assert not m.compiled() and m.install() and not m.compiled()\n'
        'from mmengine.logging import print_log\n'
        'with m.quiet_import():\n'
        '    import mmdet.models, mmdet.datasets\n'
        '    print_log("inside")\n'
        'print_log("after")')
    assert output.split() == ['inside', 'after']


def test_compiled_operators_are_left_alone(tmp_path):
    (tmp_path / 'mmcv').mkdir()
    (tmp_path / 'mmcv/__init__.py').touch()
    (tmp_path / 'mmcv/_ext.py').write_text('real = True')
    output = run_python(
        'print(m.compiled(), m.install(), m.compiled(), m.install())\n'
        'import mmcv._ext\n'
        'print(mmcv._ext.real)', tmp_path)
    assert output.split() == ['True', 'False', 'True', 'False', 'True']
