"""Depthwise convolutions in numpy: a sum over the taps of shifted images."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from gpucomp.kernels.arrays import HALVES, Array, Shape, in_float64
from gpucomp.kernels.depthwise.compute import same


def image_shape(shape: Shape, layout: str) -> Shape:
    """Extents of the image for shape (N, C, H, W, k, stride, dilation, M)."""
    n, c, h, w = shape[:4]
    return (n, c, h, w) if layout == "NCHW" else (n, h, w, c)


def weight_shape(shape: Shape, layout: str) -> Shape:
    """Extents of the filters."""
    c, k, m = shape[1], shape[4], shape[7]
    return (c, m, k, k) if layout == "NCHW" else (k, k, c, m)


def output_shape(shape: Shape, layout: str) -> Shape:
    """Extents of the result."""
    n, c, h, w, k, stride, dilation, m = shape
    pad = dilation * (k // 2)
    rows, columns = [(size + 2 * pad - (k - 1) * dilation - 1) // stride + 1 for size in (h, w)]
    return (n, c * m, rows, columns) if layout == "NCHW" else (n, rows, columns, c * m)


def depthwise(layout: str) -> Callable[[Sequence[Array], Shape], list[Array]]:
    """The convolution of a layout, in float64."""

    def compute(inputs: Sequence[Array], shape: Shape) -> list[Array]:
        return [_convolution(in_float64(inputs[0]), in_float64(inputs[1]), layout, _how(shape))]

    return compute


def depthwise_peer(layout: str) -> Callable[[Sequence[Array], Shape], Callable[[], object]]:
    """The same sum of products in the arrays' own type; 16-bit inputs are widened first."""

    def prepare(inputs: Sequence[Array], shape: Shape) -> Callable[[], object]:
        image, weight = inputs
        how, kind = _how(shape), image.dtype
        if kind.name in HALVES:
            return lambda: _convolution(image.astype(np.float32), weight.astype(np.float32), layout, how).astype(kind)
        return lambda: _convolution(image, weight, layout, how)

    return prepare


def _how(shape: Shape) -> tuple[tuple[int, int], tuple[int, int, int, int], tuple[int, int]]:
    _, _, _, _, k, stride, dilation, _ = shape
    return same(k, stride, dilation)


def _convolution(
    image: Array,
    weight: Array,
    layout: str,
    how: tuple[tuple[int, int], tuple[int, int, int, int], tuple[int, int]],
) -> Array:
    """Strides, padding (top, left, bottom, right) and dilation as in ``compute.depthwise_conv2d``."""
    (sy, sx), (top, left, bottom, right), (ey, ex) = how
    if layout == "NHWC":
        turned = _convolution(image.transpose(0, 3, 1, 2), weight.transpose(2, 3, 0, 1), "NCHW", how)
        return np.ascontiguousarray(turned.transpose(0, 2, 3, 1))
    m, kh, kw = weight.shape[1:]
    padded = np.pad(image, ((0, 0), (0, 0), (top, bottom), (left, right)))
    rows, columns = padded.shape[2] - (kh - 1) * ey, padded.shape[3] - (kw - 1) * ex
    total: Array = np.zeros((1, 1, 1, 1), image.dtype)
    for dy in range(kh):
        for dx in range(kw):
            pixels = padded[:, :, dy * ey : dy * ey + rows : sy, dx * ex : dx * ex + columns : sx]
            total = np.add(total, np.multiply(np.repeat(pixels, m, axis=1), weight[:, :, dy, dx].reshape(-1, 1, 1)))
    return total


def convolution(
    image: Array,
    weight: Array,
    layout: str,
    strides: tuple[int, int],
    padding: tuple[int, int, int, int],
    dilation: tuple[int, int],
) -> Array:
    """The convolution of ``compute.depthwise_conv2d`` in float64."""
    return _convolution(in_float64(image), in_float64(weight), layout, (strides, padding, dilation))
