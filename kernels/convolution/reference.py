"""Convolutions in numpy: im2col, then a matrix product."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from gpucomp.kernels.arrays import HALVES, Array, Shape, in_float64


def output_size(shape: Shape) -> int:
    """Height and width of the result for shape (N, C, H, O, k, stride)."""
    _, _, h, _, k, stride = shape
    return (h + 2 * (k // 2) - k) // stride + 1


def conv2d(inputs: Sequence[Array], shape: Shape) -> list[Array]:
    """The convolution in float64."""
    return [_convolution(in_float64(inputs[0]), in_float64(inputs[1]), shape)]


def conv2d_peer(inputs: Sequence[Array], shape: Shape) -> Callable[[], object]:
    """im2col and a matrix product per image; 16-bit inputs are widened first, for numpy's BLAS."""
    image, weight = inputs
    if image.dtype.name in HALVES:
        return lambda: _convolution(image.astype(np.float32), weight.astype(np.float32), shape)
    return lambda: _convolution(image, weight, shape)


def _convolution(image: Array, weight: Array, shape: Shape) -> Array:
    n, c, _, o, k, stride = shape
    pad, size = k // 2, output_size(shape)
    padded = np.pad(image, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    windows = sliding_window_view(padded, (k, k), axis=(2, 3))[:, :, ::stride, ::stride]
    # (n, c, y, x, dy, dx) -> (n, c dy dx, y x): the product is then in NCHW order without another copy.
    columns = windows.transpose(0, 1, 4, 5, 2, 3).reshape(n, c * k * k, size * size)
    return np.matmul(weight.reshape(o, c * k * k), columns).reshape(n, o, size, size)
