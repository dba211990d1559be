"""Definitions of depthwise convolutions: each channel of an image by itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from gpucomp import te
from gpucomp.kernels.registry import Definition, Extent, extent, sum_dtype
from gpucomp.support.diagnostics import ArgumentError
from gpucomp.tir.expr import Expr, Var
from gpucomp.tir.intrin import if_then_else
from gpucomp.tir.operators import const

ALIGNED: Final = 8  # columns: images of elements of two bytes or more keep vectors of 16 bytes whole


def depthwise_conv2d_nchw(shape: Sequence[Extent], dtype: str) -> Definition:
    """:func:`depthwise_conv2d` of images (N, C, H, W) and filters (C, M, k, k).

    ``shape`` is (N, C, H, W, k, stride, dilation, M); the padding is ``dilation * (k // 2)`` on all sides.
    """
    n, c, h, w, *how = shape
    k, stride, dilation, m = _numbers(how)
    image, weight = te.placeholder((n, c, h, w), dtype, "X"), te.placeholder((c, m, k, k), dtype, "W")
    return depthwise_conv2d(image, weight, "NCHW", *same(k, stride, dilation))


def depthwise_conv2d_nhwc(shape: Sequence[Extent], dtype: str) -> Definition:
    """:func:`depthwise_conv2d` of images (N, H, W, C) and filters (k, k, C, M).

    ``shape`` is (N, C, H, W, k, stride, dilation, M); the padding is ``dilation * (k // 2)`` on all sides.
    """
    n, c, h, w, *how = shape
    k, stride, dilation, m = _numbers(how)
    image, weight = te.placeholder((n, h, w, c), dtype, "X"), te.placeholder((k, k, c, m), dtype, "W")
    return depthwise_conv2d(image, weight, "NHWC", *same(k, stride, dilation))


def depthwise_conv2d(
    image: te.Tensor,
    weight: te.Tensor,
    layout: str,
    strides: tuple[int, int],
    padding: tuple[int, int, int, int],
    dilation: tuple[int, int],
) -> Definition:
    """``Y[n, c * M + m, y, x] = sum over dy, dx of X[n, c, y * sy + dy * ey - top, x * sx + dx * ex - left] *
    W[c, m, dy, dx]``, with 0 outside of the image.

    16-bit inputs are multiplied and summed in float32; the result has the type of the image.

    Intermediates: the image with its padding, its rows (NCHW) with more zeros around than
    the padding, so that vectors of the image stay vectors; the sums, where the result is of another type.

    Args:
        image: (N, C, H, W), or (N, H, W, C).
        weight: (C, M, kh, kw), or (kh, kw, C, M).
        layout: ``"NCHW"`` or ``"NHWC"``.
        strides: distances of windows along y and x.
        padding: rows and columns of zeros at the top, left, bottom and right.
        dilation: distances of the elements of a window along y and x.

    Raises:
        ArgumentError: a window is larger than the image with its padding.
    """
    first = layout == "NCHW"
    n, c, h, w = image.shape if first else [image.shape[i] for i in (0, 3, 1, 2)]
    m, kh, kw = weight.shape[1:] if first else [weight.shape[i] for i in (3, 0, 1)]
    top, left, bottom, right = padding
    rows = _windows(h + (top + bottom), kh, strides[0], dilation[0])
    columns = _windows(w + (left + right), kw, strides[1], dilation[1])
    ahead = _aligned(left) if first else left
    behind = _aligned(ahead + w + right) - ahead - w if first else right
    padded = _padded(image, layout, (top, ahead, bottom, behind))
    ry, rx = te.reduce_axis((0, kh), "ry"), te.reduce_axis((0, kw), "rx")
    wide, single = sum_dtype(str(image.dtype)), extent(m) == 1

    def product(b: Var, f: Var, y: Var, x: Var) -> Expr:
        channel, part = (f, 0) if single else (f // m, f % m)
        row, column = y * strides[0] + ry * dilation[0], x * strides[1] + rx * dilation[1] + (ahead - left)
        pixel = padded[b, channel, row, column] if first else padded[b, row, column, channel]
        tap = weight[channel, part, ry, rx] if first else weight[ry, rx, channel, part]
        return te.sum(pixel.astype(wide) * tap.astype(wide), axis=[ry, rx])

    tag = f"depthwise_conv2d_{layout.lower()}"
    if first:
        sums = te.compute((n, c * m, rows, columns), product, name="sums", tag=tag)
    else:
        sums = te.compute((n, rows, columns, c * m), lambda b, y, x, f: product(b, f, y, x), name="sums", tag=tag)
    if str(image.dtype) == wide:
        return Definition((image, weight), (sums,), (padded,))
    out = te.compute(sums.shape, lambda *i: sums[i].astype(image.dtype), name="Y")
    return Definition((image, weight), (out,), (padded, sums))


def same(k: int, stride: int, dilation: int) -> tuple[tuple[int, int], tuple[int, int, int, int], tuple[int, int]]:
    """Strides, padding and dilation of windows that are centred on pixels, the first on the first."""
    pad = dilation * (k // 2)
    return (stride, stride), (pad, pad, pad, pad), (dilation, dilation)


def _numbers(values: Sequence[Extent]) -> list[int]:
    numbers = [extent(value) for value in values]
    known = [number for number in numbers if number is not None]
    if len(known) < len(numbers):
        raise ArgumentError("depthwise_conv2d: k, stride, dilation and M have to be numbers", code="GC640")
    return known


def _aligned(size: Extent) -> Extent:
    return (size + (ALIGNED - 1)) // ALIGNED * ALIGNED


def _windows(size: Extent, k: Extent, stride: int, step: int) -> Extent:
    count = (size - ((k - 1) * step + 1)) // stride + 1
    known = extent(count)
    if known is not None and known < 1:
        raise ArgumentError(
            f"depthwise_conv2d: a window of {k} elements, {step} apart, over {size}, padding included",
            code="GC640",
            hint="more padding, or a smaller window",
        )
    return count


def _padded(image: te.Tensor, layout: str, zeros: tuple[Extent, Extent, Extent, Extent]) -> te.Tensor:
    """The image with zeros at the top, left, bottom and right."""
    top, left, bottom, right = zeros
    at = layout.index("H")
    shape = list(image.shape)
    h, w = shape[at : at + 2]
    shape[at : at + 2] = h + top + bottom, w + left + right

    def element(*i: Var) -> Expr:
        y, x = i[at : at + 2]
        inside = te.all(y >= top, y < h + top, x >= left, x < w + left)
        place = (*i[:at], y - top, x - left, *i[at + 2 :])
        return if_then_else(inside, image[place], const(0, image.dtype))

    return te.compute(shape, element, name="pad", tag="injective,pad")
