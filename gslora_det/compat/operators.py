"""mmcv's operators in plain PyTorch, and an error for every other one.

Argument names and in-place outputs are those of mmcv's C++ interface, for that is how
``mmcv/ops/*.py`` calls them.
"""
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import NoReturn

import torch
import torch.nn.functional as F
from torch import Tensor


def how_to_compile() -> str:
    """The commands that build mmcv's operators beside the installed torch."""
    try:
        return ('pip uninstall mmcv-lite, then pip install --no-build-isolation '
                f'mmcv=={version("mmcv-lite")}')
    except PackageNotFoundError:
        return ('pip install --no-build-isolation onedl-mmcv --no-deps --force-reinstall '
                '--no-cache-dir')


def unavailable(name: str) -> Callable[..., NoReturn]:
    """The operator ``name`` of the stand-in: importable, an error when called."""
    if name.startswith('__'):
        raise AttributeError(f'mmcv._ext has no attribute {name!r}')

    def operator(*args, **kwargs) -> NoReturn:
        raise RuntimeError(
            f'mmcv operator {name!r} needs the compiled mmcv: build it beside the '
            f'installed torch with {how_to_compile()}')

    operator.__name__ = name
    return operator


def _wide(tensor: Tensor) -> Tensor:
    """At least single precision: half is too coarse for sampling coordinates."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


def _gradients(function: Callable[..., Tensor], inputs: Sequence[Tensor],
               grad_output: Tensor) -> tuple[Tensor, ...]:
    """Gradients of ``function(*inputs)``, which is computed anew for them."""
    with torch.enable_grad():
        leaves = [tensor.detach().requires_grad_() for tensor in inputs]
        output = function(*leaves)
        return torch.autograd.grad(output, leaves, grad_output.to(output.dtype))


def ms_deform_attn_forward(value: Tensor, spatial_shapes: Tensor,
                           level_start_index: Tensor, sampling_locations: Tensor,
                           attention_weights: Tensor, im2col_step: int) -> Tensor:
    """Multi-scale deformable attention (Deformable DETR, eq. 3).

    Args:
        value (Tensor): (bs, keys, heads, dim), the levels one after another.
        spatial_shapes (Tensor): (levels, 2), height and width in pixels.
        level_start_index (Tensor): Not needed: the shapes imply it.
        sampling_locations (Tensor): (bs, queries, heads, levels, points, 2), x and
            y as fractions of the level's width and height.
        attention_weights (Tensor): (bs, queries, heads, levels, points).
        im2col_step (int): Not needed: a tuning knob of the CUDA kernel.

    Returns:
        Tensor: (bs, queries, heads * dim).
    """
    # Imported here because mmcv.ops itself imports this module's stand-in.
    from mmcv.ops.multi_scale_deform_attn import multi_scale_deformable_attn_pytorch

    # Plain numbers: one transfer from the GPU instead of several for each level.
    output = multi_scale_deformable_attn_pytorch(
        _wide(value), spatial_shapes.tolist(), _wide(sampling_locations),
        _wide(attention_weights))
    return output.to(value.dtype)


def ms_deform_attn_backward(value: Tensor, spatial_shapes: Tensor,
                            level_start_index: Tensor, sampling_loc: Tensor,
                            attn_weight: Tensor, grad_output: Tensor,
                            grad_value: Tensor, grad_sampling_loc: Tensor,
                            grad_attn_weight: Tensor, im2col_step: int) -> None:
    """Fill the last three tensors with the gradients of the forward operator."""

    def forward(value: Tensor, locations: Tensor, weights: Tensor) -> Tensor:
        return ms_deform_attn_forward(value, spatial_shapes, level_start_index,
                                      locations, weights, im2col_step)

    gradients = _gradients(forward, (value, sampling_loc, attn_weight), grad_output)
    for target, gradient in zip(  # noqa: B905 (`strict` needs Python 3.10)
            (grad_value, grad_sampling_loc, grad_attn_weight), gradients):
        target.copy_(gradient)


def _sigmoid_focal_loss(logits: Tensor, target: Tensor, weight: Tensor,
                        gamma: float, alpha: float) -> Tensor:
    classes = torch.arange(logits.size(1), device=logits.device)
    logits = _wide(logits)
    positive = alpha * torch.sigmoid(-logits)**gamma * F.logsigmoid(logits)
    negative = (1 - alpha) * torch.sigmoid(logits)**gamma * F.logsigmoid(-logits)
    loss = -torch.where(target[:, None] == classes, positive, negative)
    return loss * weight[target][:, None] if weight.numel() else loss


def sigmoid_focal_loss_forward(input: Tensor, target: Tensor, weight: Tensor,
                               output: Tensor, gamma: float, alpha: float) -> None:
    """Fill ``output`` with the focal loss (Lin et al., 2017, eq. 5) of each logit.

    MMDet calls this operator for every CUDA tensor, also in Deformable DETR.

    Args:
        input (Tensor): (n, classes) logits.
        target (Tensor): (n, ) class indices; ``classes`` means background.
        weight (Tensor): (classes, ), or empty for none.
        output (Tensor): (n, classes).
        gamma (float): Focusing exponent.
        alpha (float): Weight of the positive term; 1 - alpha is the negative's.
    """
    output.copy_(_sigmoid_focal_loss(input, target, weight, gamma, alpha))


def sigmoid_focal_loss_backward(input: Tensor, target: Tensor, weight: Tensor,
                                grad_input: Tensor, gamma: float,
                                alpha: float) -> None:
    """Fill ``grad_input`` with the derivative of each loss by its own logit."""
    gradient, = _gradients(
        lambda logits: _sigmoid_focal_loss(logits, target, weight, gamma, alpha),
        (input, ), torch.ones_like(input))
    grad_input.copy_(gradient)


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float, offset: int) -> Tensor:
    """Greedy non-maximum suppression.

    Args:
        boxes (Tensor): (n, 4), x1, y1, x2, y2.
        scores (Tensor): (n, ).
        iou_threshold (float): Boxes that overlap a better one by more are dropped.
        offset (int): Added to every width and height: 0 or 1.

    Returns:
        Tensor: Indices of the kept boxes, by descending score.
    """
    order = scores.sort(descending=True, stable=True).indices.cpu()
    # On the CPU: every kept box decides about the next, so a GPU would only wait.
    boxes = _wide(boxes).cpu()
    areas = (boxes[:, 2:] - boxes[:, :2] + offset).prod(dim=1)
    kept = []
    while len(order):
        best, order = order[0], order[1:]
        kept.append(best)
        top_left = torch.maximum(boxes[best, :2], boxes[order, :2])
        bottom_right = torch.minimum(boxes[best, 2:], boxes[order, 2:])
        overlap = (bottom_right - top_left + offset).clamp(min=0).prod(dim=1)
        union = areas[best] + areas[order] - overlap
        order = order[~(overlap > iou_threshold * union)]  # as in mmcv, NaN stays
    return torch.stack(kept).to(scores.device) if kept else order.to(scores.device)


def _roi_align(features: Tensor, rois: Tensor, height: int, width: int,
               spatial_scale: float, sampling_ratio: int, aligned: bool) -> Tensor:
    """RoIAlign (Mask R-CNN) with average pooling: (n, channels, height, width)."""
    dtype = features.dtype
    features, rois = _wide(features), _wide(rois)
    boxes = rois[:, 1:] * spatial_scale - (0.5 if aligned else 0.)
    corner, extent = boxes[:, :2], boxes[:, 2:] - boxes[:, :2]
    if not aligned:
        extent = extent.clamp(min=1)
    bins = extent / extent.new_tensor([width, height])
    samples = (torch.full_like(bins, sampling_ratio) if sampling_ratio > 0 else bins.ceil())
    # RoIs of one image with as many samples a bin go through one grid_sample.
    keys = torch.cat([rois[:, :1], samples], dim=1).long()
    limits = features.new_tensor(features.shape[:1:-1])
    output = features.new_zeros(len(rois), features.size(1), height, width)
    for key in keys.unique(dim=0):
        image, nx, ny = key.tolist()
        if min(nx, ny) < 1:
            continue  # an empty RoI pools nothing: zero, as in mmcv
        chosen = (keys == key).all(dim=1).nonzero().squeeze(1)
        # Sample k of a row lies (k + 1/2) / n bins from the corner of its RoI.
        steps = torch.stack(torch.meshgrid(
            (torch.arange(width * nx).to(bins) + 0.5) / nx,
            (torch.arange(height * ny).to(bins) + 0.5) / ny, indexing='xy'), dim=-1)
        points = corner[chosen, None, None] + steps * bins[chosen, None, None]
        inside = ((points >= -1) & (points <= limits)).all(dim=-1)
        grid = ((2 * points + 1) / limits - 1).to(features.dtype)
        values = F.grid_sample(
            features[image:image + 1], grid.flatten(0, 1)[None],
            padding_mode='border', align_corners=False)
        values = values.view(-1, *inside.shape) * inside
        values = values.view(-1, len(chosen), height, ny, width, nx).mean(dim=(3, 5))
        output[chosen] = values.transpose(0, 1)
    return output.to(dtype)


def roi_align_forward(input: Tensor, rois: Tensor, output: Tensor, argmax_y: Tensor,
                      argmax_x: Tensor, aligned_height: int, aligned_width: int,
                      spatial_scale: float, sampling_ratio: int, pool_mode: int,
                      aligned: bool) -> None:
    """Fill ``output`` (n, channels, aligned_height, aligned_width) with RoIAlign.

    Args:
        input (Tensor): (bs, channels, h, w).
        rois (Tensor): (n, 5), image index and x1, y1, x2, y2 in image pixels.
        output (Tensor): The result.
        argmax_y (Tensor): Of maximum pooling only.
        argmax_x (Tensor): Of maximum pooling only.
        aligned_height (int): Rows of bins.
        aligned_width (int): Columns of bins.
        spatial_scale (float): Feature pixels for one image pixel.
        sampling_ratio (int): Samples a bin and axis; 0 takes one a feature pixel.
        pool_mode (int): 1 averages; 0, the maximum, needs the compiled operator.
        aligned (bool): Pixel centres lie at half coordinates.
    """
    if pool_mode != 1:
        unavailable('roi_align_forward (pool_mode="max")')()
    output.copy_(_roi_align(input, rois, aligned_height, aligned_width,
                            spatial_scale, sampling_ratio, aligned))


def roi_align_backward(grad_output: Tensor, rois: Tensor, argmax_y: Tensor,
                       argmax_x: Tensor, grad_input: Tensor, aligned_height: int,
                       aligned_width: int, spatial_scale: float,
                       sampling_ratio: int, pool_mode: int, aligned: bool) -> None:
    """Fill ``grad_input`` with the gradient of the averaging forward operator."""
    # RoIAlign is linear in the features: zeros do for the recomputation. Added up
    # with them, an output without RoIs still depends on its input.
    gradient, = _gradients(
        lambda features: features.sum() * 0 + _roi_align(
            features, rois, aligned_height, aligned_width, spatial_scale,
            sampling_ratio, aligned), (torch.zeros_like(grad_input), ), grad_output)
    grad_input.copy_(gradient)


def get_compiler_version() -> str:
    """What mmcv's environment report shows as the compiler of its operators."""
    return 'not compiled'


def get_compiling_cuda_version() -> str:
    """What mmcv's environment report shows as the CUDA of its operators."""
    return 'not compiled'


OPERATORS = (ms_deform_attn_forward, ms_deform_attn_backward,
              sigmoid_focal_loss_forward, sigmoid_focal_loss_backward, nms,
              roi_align_forward, roi_align_backward, get_compiler_version,
              get_compiling_cuda_version)
