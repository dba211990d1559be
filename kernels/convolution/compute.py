"""Definitions of convolutions."""

from __future__ import annotations

from collections.abc import Sequence

from gpucomp import te
from gpucomp.kernels.registry import Definition, Extent, sum_dtype
from gpucomp.support.diagnostics import ArgumentError
from gpucomp.tir.expr import Expr, Var
from gpucomp.tir.intrin import if_then_else
from gpucomp.tir.operators import const


def conv2d(shape: Sequence[Extent], dtype: str) -> Definition:
    """A convolution in NCHW layout for shape (N, C, H, O, k, stride): H x H images, k x k filters, padding k // 2.

    ``Y[n, o, y, x] = sum over c, dy, dx of X[n, c, y * stride + dy - k // 2, x * stride + dx - k // 2] *
    W[o, c, dy, dx]``, with 0 outside of the image. The result is ``(H + 2 * (k // 2) - k) // stride + 1`` wide.
    16-bit inputs are multiplied and summed in float32, which is then the type of the result.

    Intermediates: the padded image (N, C, H + 2 * (k // 2), H + 2 * (k // 2)), unless k is 1.

    Raises:
        ArgumentError: k or stride is no number.
    """
    n, c, h, o, k, stride = shape
    if not isinstance(k, int) or not isinstance(stride, int):
        raise ArgumentError("conv2d: k and stride have to be numbers", code="GC640")
    pad = k // 2
    size = (h + 2 * pad - k) // stride + 1
    image, weight = te.placeholder((n, c, h, h), dtype, "X"), te.placeholder((o, c, k, k), dtype, "W")
    padded = _padded(image, pad)
    rc, ry, rx = te.reduce_axis((0, c), "rc"), te.reduce_axis((0, k), "ry"), te.reduce_axis((0, k), "rx")
    wide = sum_dtype(dtype)

    def product(b: Var, f: Var, y: Var, x: Var) -> Expr:
        pixel = padded[b, rc, y * stride + ry, x * stride + rx]
        return te.sum(pixel.astype(wide) * weight[f, rc, ry, rx].astype(wide), axis=[rc, ry, rx])

    result = te.compute((n, o, size, size), product, name="Y")
    return Definition((image, weight), (result,), (padded,) if pad else ())


def _padded(image: te.Tensor, pad: int) -> te.Tensor:
    if pad == 0:
        return image
    n, c, h, w = image.shape
    zero = const(0, image.dtype)

    def element(b: Var, ch: Var, y: Var, x: Var) -> Expr:
        inside = te.all(y >= pad, y < h + pad, x >= pad, x < w + pad)
        return if_then_else(inside, image[b, ch, y - pad, x - pad], zero)

    return te.compute((n, c, h + 2 * pad, w + 2 * pad), element, name="pad", tag="injective,pad")
