"""Convolutions in numpy: im2col, then a matrix product."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from gpucomp.kernels.arrays import HALVES, Array, Shape, in_float64
from gpucomp.kernels.convolution.problem import Convolution, numbers


def output_size(shape: Shape) -> int:
    """Height and width of the result for shape (N, C, H, O, k, stride)."""
    _, _, h, _, k, stride = shape
    return (h + 2 * (k // 2) - k) // stride + 1


def convolution(inputs: Sequence[Array], conv: Convolution) -> list[Array]:
    """The convolution, and what follows it, in float64."""
    return [_whole([in_float64(x) for x in inputs], conv)]


def peer(inputs: Sequence[Array], conv: Convolution) -> Callable[[], object]:
    """im2col and a matrix product per image and group; 16-bit inputs are widened first, for numpy's BLAS."""
    kind = inputs[0].dtype
    if kind.name not in HALVES:
        return lambda: _whole(inputs, conv)
    if conv.has_epilogue:
        return lambda: _whole([x.astype(np.float32) for x in inputs], conv).astype(kind)
    return lambda: _whole([x.astype(np.float32) for x in inputs], conv)


def _whole(inputs: Sequence[Array], conv: Convolution) -> Array:
    image, weight, *more = inputs
    made = _sums(image, weight, conv)
    if conv.bias:
        bias = more.pop(0)
        made = np.add(made, bias.reshape([-1 if d == conv.channel_axis else 1 for d in range(conv.ndim + 2)]))
    if conv.residual:
        made = np.add(made, more.pop(0))
    return np.maximum(made, 0) if conv.relu else made


def _sums(image: Array, weight: Array, conv: Convolution) -> Array:
    """The convolution; inside, channels come first."""
    ndim = conv.ndim
    if conv.channels_last:
        image, weight = np.moveaxis(image, -1, 1), np.moveaxis(weight, (-1, -2), (0, 1))
    border = list(zip(conv.padding, conv.padding, strict=True))
    stride = conv.stride
    if conv.transposed:
        image, weight = _spread(image, stride), np.flip(weight.swapaxes(0, 1), tuple(range(2, ndim + 2)))
        more = conv.more or (0,) * ndim
        edges = zip(conv.kernel, conv.padding, more, strict=True)
        border, stride = [(k - 1 - p, k - 1 - p + m) for k, p, m in edges], (1,) * ndim
    padded = np.pad(image, [(0, 0), (0, 0), *border])
    wide = tuple([(k - 1) * d + 1 for k, d in zip(conv.kernel, conv.dilation, strict=True)])
    windows = sliding_window_view(padded, wide, axis=tuple(range(2, ndim + 2)))
    steps = [slice(None, None, s) for s in (1, 1, *stride, *conv.dilation)]
    windows = windows[tuple(steps)]
    # (n, c, places, taps) -> (n, group, c in it x taps, places): the product then has its channels first.
    batch, filters = numbers((conv.batch, conv.filters))
    size, groups = windows.shape[2 : 2 + ndim], conv.groups
    columns = windows.transpose(0, 1, *range(2 + ndim, 2 + 2 * ndim), *range(2, 2 + ndim))
    columns = columns.reshape(batch, groups, -1, int(np.prod(size)))
    made = np.matmul(weight.reshape(groups, filters // groups, -1), columns).reshape(batch, filters, *size)
    return np.ascontiguousarray(np.moveaxis(made, 1, -1)) if conv.channels_last else made


def _spread(image: Array, stride: Sequence[int]) -> Array:
    """The image with ``stride - 1`` zeros between its elements."""
    size = [(x - 1) * s + 1 for x, s in zip(image.shape[2:], stride, strict=True)]
    made = np.zeros((*image.shape[:2], *size), image.dtype)
    made[(slice(None), slice(None), *[slice(None, None, s) for s in stride])] = image
    return made
