"""Convolutions of 3x3 windows by Winograd's minimal filtering, as tensor expressions.

F(m x m, 3x3) computes m x m pixels of the result from (m + 2) x (m + 2) of the image: both image and filters are
transformed, multiplied point by point and summed over the channels, which is a matrix product for each of the
(m + 2)^2 points, and transformed back.  Of the products of the direct sum 1 / 2.25 are left for m = 2 and 1 / 4 for
m = 4 (A. Lavin and S. Gray, "Fast algorithms for convolutional neural networks", CVPR 2016).

Errors, against float64, for images and filters uniform in [-1, 1): the largest relative to an element, or to the
root mean square of the result where that is larger (as operators' tolerances count them), with 64 and 512 channels:
F(2x2) 1.2e-6 and 3.9e-6, F(4x4) 9e-6 and 3e-5; the direct sum in float32, 2.4e-6 and 8e-6.

Filters are transformed in each call: nothing is kept between calls.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from gpucomp import te
from gpucomp.kernels.convolution.compute import ConvolutionDefinition, epilogue
from gpucomp.kernels.convolution.problem import Convolution, numbers
from gpucomp.kernels.convolution.winograd_matrices import Matrix, matrices
from gpucomp.kernels.gemm.tiles import SimtTile
from gpucomp.support.diagnostics import ArgumentError
from gpucomp.tir.expr import Expr, Var
from gpucomp.tir.intrin import if_then_else, select
from gpucomp.tir.operators import const

VECTOR: Final = 4  # rows of the transformed tensors are multiples of it, so that they can be copied as vectors
TAPS: Final = 3


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class WinogradDefinition(ConvolutionDefinition):
    """A convolution by F(m x m, 3x3); the points of a tile count as one dimension.

    Attributes:
        m: pixels of a tile along each side.
        rows_data, data: the image after one half and after all of its transform: (points, C, tiles), with channels last
            (points, tiles, C); tiles of all images, row by row, up to a multiple of four.
        rows_kernel, kernel: the filters after one half and all of their transform: (points, C, O).
        products: the sums over the channels: (points, O, tiles), or (points, tiles, O).
        rows_inverse, inverse: the results of a tile after one half and after all of the inverse transform.
        tile: of the products, as the model chose it.
        reason: why.
    """

    m: int
    rows_data: te.Tensor
    data: te.Tensor
    rows_kernel: te.Tensor
    kernel: te.Tensor
    products: te.Tensor
    rows_inverse: te.Tensor
    inverse: te.Tensor
    tile: SimtTile | None = None
    reason: str = ""


def applies(conv: Convolution) -> bool:
    """3x3 windows of images, next to each other, in one group, and all extents known."""
    return (
        conv.ndim == 2
        and conv.kernel == (TAPS, TAPS)
        and conv.stride == (1, 1)
        and conv.dilation == (1, 1)
        and conv.groups == 1
        and not conv.transposed
        and not any([isinstance(x, Expr) for x in (conv.batch, conv.channels, *conv.size, conv.filters)])
    )


def product_shape(conv: Convolution, m: int) -> tuple[int, int]:
    """Rows and columns of the product of a point: filters by tiles, or tiles by filters with channels last."""
    height, width = numbers(conv.out_size)
    count = numbers((conv.batch,))[0] * -(-height // m) * -(-width // m)
    filters = numbers((conv.filters,))[0]
    return (count, filters) if conv.channels_last else (filters, count)


def define(conv: Convolution, dtype: str, m: int = 4) -> WinogradDefinition:
    """The tensor expressions of a convolution by F(m x m, 3x3), for ``m`` 2 or 4.

    Inputs, outputs and epilogues are those of ``compute.define``.

    Raises:
        ArgumentError: it is no convolution of 3x3 windows with stride 1, or no float32 or float64.
    """
    if not applies(conv) or dtype not in ("float32", "float64") or m not in (2, 4):
        raise ArgumentError(
            f"winograd: F({m}x{m}, 3x3) of {dtype}, windows {conv.kernel}, stride {conv.stride}",
            code="GC640",
            hint="3x3 windows in one group, stride and dilation 1, float32 or float64, m 2 or 4, all extents known",
        )
    return _Winograd(conv, dtype, m).definition()


class _Winograd:
    """One definition while it is made."""

    def __init__(self, conv: Convolution, dtype: str, m: int) -> None:
        self.conv, self.dtype, self.m, self.t = conv, dtype, m, m + TAPS - 1
        self.n, self.c, self.o = numbers((conv.batch, conv.channels, conv.filters))
        self.height, self.width = numbers(conv.out_size)
        self.down, self.across = -(-self.height // m), -(-self.width // m)
        self.tiles = rounded(self.n * self.down * self.across)
        self.filters = rounded(self.o)
        self.matrices = matrices(m, TAPS)
        self.last = conv.channels_last
        self.image = te.placeholder(conv.image_shape, dtype, "X")
        self.weight = te.placeholder(conv.weight_shape, dtype, "W")

    def definition(self) -> WinogradDefinition:
        padded = self._padded()
        rows_data, data = self._data(padded)
        rows_kernel, kernel = self._kernel()
        products = self._products(kernel, data)
        rows_inverse, inverse, product = self._result(products)
        inputs, out = (self.image, self.weight), product
        made = (padded, rows_data, data, rows_kernel, kernel, products, rows_inverse, inverse)
        if self.conv.has_epilogue:
            more, out = epilogue(product, self.conv, self.dtype)
            inputs, made = (*inputs, *more), (*made, product)
        return WinogradDefinition(
            inputs, (out,), made, problem=self.conv, product=product, padded=padded, m=self.m, rows_data=rows_data,
            data=data, rows_kernel=rows_kernel, kernel=kernel, products=products, rows_inverse=rows_inverse,
            inverse=inverse,
        )  # fmt: skip

    def _padded(self) -> te.Tensor:
        """The image with zeros around it, behind it up to whole tiles, and after the last image."""
        (h, w), (top, left) = numbers(self.conv.size), self.conv.padding
        images = -(-self.tiles // (self.down * self.across))
        size = (self.down * self.m + TAPS - 1, self.across * self.m + TAPS - 1)

        def element(b: Var, ch: Var, y: Var, x: Var) -> Expr:
            inside = [y >= top, y < h + top, x >= left, x < w + left]
            if images > self.n:
                inside.append(b < self.n)
            pixel = self.image(*self.conv.laid_out(b, ch, (y - top, x - left)))
            return if_then_else(te.all(*inside), pixel, const(0, self.dtype))

        return self._compute((images, self.c, *size), element, "pad")

    def _compute(self, shape: Sequence[int], element: Callable[..., Expr], name: str) -> te.Tensor:
        """A tensor of (batch, channel, y, x) in the layout of the image."""
        b, ch, y, x = shape
        if self.last:
            return te.compute((b, y, x, ch), lambda b, y, x, ch: element(b, ch, y, x), name=name)
        return te.compute((b, ch, y, x), lambda b, ch, y, x: element(b, ch, y, x), name=name)

    def _by_tile(self, outer: Sequence[int], channels: int, element: Callable[..., Expr], name: str) -> te.Tensor:
        """A tensor of (outer..., channel, tile), in the order in which the products need it."""
        if self.last:
            shape = (*outer, self.tiles, channels)
            return te.compute(shape, lambda *i: element(*i[:-2], i[-1], i[-2]), name=name)
        return te.compute((*outer, channels, self.tiles), lambda *i: element(*i), name=name)

    def _data(self, padded: te.Tensor) -> tuple[te.Tensor, te.Tensor]:
        t, bt = self.t, self.matrices.data

        def along_y(xi: Var, j: Var, ch: Var, p: Var) -> Expr:
            place, column = p // (self.down * self.across), p % self.across * self.m + j
            row = p // self.across % self.down * self.m
            return _times(bt, xi, lambda i: padded(*self.conv.laid_out(place, ch, (row + i, column))))

        rows = self._by_tile((t, t), self.c, along_y, "rows_data")

        def along_x(k: Var, ch: Var, p: Var) -> Expr:
            tail = (p, ch) if self.last else (ch, p)
            return _times(bt, k % t, lambda j: rows(k // t, j, *tail))

        return rows, self._by_tile((t * t,), self.c, along_x, "data")

    def _kernel(self) -> tuple[te.Tensor, te.Tensor]:
        t, g = self.t, self.matrices.kernel

        def along_y(xi: Var, dx: Var, ch: Var, f: Var) -> Expr:
            def tap(dy: int) -> Expr:
                at = (dy, dx, ch, f) if self.last else (f, ch, dy, dx)
                return self.weight(*at)

            value = _times(g, xi, tap)
            return value if self.filters == self.o else if_then_else(f < self.o, value, const(0, self.dtype))

        rows = te.compute((t, TAPS, self.c, self.filters), along_y, name="rows_kernel")
        return rows, te.compute(
            (t * t, self.c, self.filters),
            lambda k, ch, f: _times(g, k % t, lambda dx: rows(k // t, dx, ch, f)),
            name="kernel",
        )

    def _products(self, kernel: te.Tensor, data: te.Tensor) -> te.Tensor:
        r = te.reduce_axis((0, self.c), "rc")
        if self.last:
            return te.compute(
                (self.t**2, self.tiles, self.filters),
                lambda k, p, f: te.sum(data[k, p, r] * kernel[k, r, f], axis=r),
                name="products",
            )
        return te.compute(
            (self.t**2, self.filters, self.tiles),
            lambda k, f, p: te.sum(kernel[k, r, f] * data[k, r, p], axis=r),
            name="products",
        )

    def _result(self, products: te.Tensor) -> tuple[te.Tensor, te.Tensor, te.Tensor]:
        t, at = self.t, self.matrices.inverse

        def along_y(y: Var, nu: Var, f: Var, p: Var) -> Expr:
            tail = (p, f) if self.last else (f, p)
            return _times(at, y, lambda xi: products(xi * t + nu, *tail))

        rows = self._by_tile((self.m, t), self.o, along_y, "rows_inverse")

        def along_x(y: Var, x: Var, f: Var, p: Var) -> Expr:
            tail = (p, f) if self.last else (f, p)
            return _times(at, x, lambda nu: rows(y, nu, *tail))

        inverse = self._by_tile((self.m, self.m), self.o, along_x, "inverse")

        def element(b: Var, f: Var, y: Var, x: Var) -> Expr:
            p = (b * self.down + y // self.m) * self.across + x // self.m
            return inverse(y % self.m, x % self.m, *((p, f) if self.last else (f, p)))

        return rows, inverse, self._compute((self.n, self.o, self.height, self.width), element, "Y")


def rounded(count: int) -> int:
    """The extent of transformed tensors for so many tiles or filters."""
    return -(-count // VECTOR) * VECTOR


def _times(matrix: Matrix, row: Expr, value: Callable[[int], Expr]) -> Expr:
    """One row of a matrix times a vector, the row chosen by an index that is a number once loops are unrolled."""
    values = [value(i) for i in range(len(matrix[0]))]
    sums = [_combined(weights, values) for weights in matrix]
    chosen = sums[-1]
    for number in range(len(sums) - 2, -1, -1):
        chosen = select(row.equal(number), sums[number], chosen)
    return chosen


def _combined(weights: Sequence[float], values: Sequence[Expr]) -> Expr:
    """The sum of weights times values, without the products by 0 and 1."""
    terms = [(w, v) for w, v in zip(weights, values, strict=True) if w != 0]
    terms.sort(key=lambda term: term[0] < 0)  # a positive one first: it needs no negation
    weight, value = terms[0]
    total = value if weight == 1 else value * const(weight, value.dtype)
    for weight, value in terms[1:]:
        product = value if abs(weight) == 1 else value * const(abs(weight), value.dtype)
        total = total - product if weight < 0 else total + product
    return total
