"""Definitions of operators on the rows of a matrix of shape (M, N).

Each starts with ``X``, the input in the type in which sums are kept (16-bit inputs are treated in float32), and goes on
with two kinds of intermediates, by which schedules treat them: matrices of shape (M, N), and one value a row, of shape
(M,), some of them reductions over the row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from gpucomp import te
from gpucomp.kernels.registry import Definition, Extent, sum_dtype
from gpucomp.te import Tensor, extreme
from gpucomp.te.reduction import Reducer
from gpucomp.tir import operators
from gpucomp.tir.expr import Expr, ExprLike, Var
from gpucomp.tir.intrin import exp, exp2_flushed, log, sqrt

EPSILON: Final = 1e-5
LOG2_E: Final = 1.4426950408889634


class _Rows:
    """Tensors over the rows of one input, collected in the order of computation."""

    def __init__(self, shape: Sequence[Extent], dtype: str, residual: bool = False) -> None:
        self.m, self.n = shape
        self.dtype, self.wide = dtype, sum_dtype(dtype)
        self.a = te.placeholder((self.m, self.n), dtype, "A")
        self.inputs = [self.a]
        self.made: list[Tensor] = []
        if residual:
            self.residual = te.placeholder((self.m, self.n), dtype, "R")
            self.inputs.append(self.residual)
        self.x = self.matrix("X", self._element if not residual else self._with_residual)

    def _element(self, i: Var, j: Var) -> Expr:
        return self.a[i, j].astype(self.wide)

    def _with_residual(self, i: Var, j: Var) -> Expr:
        return self.a[i, j].astype(self.wide) + self.residual[i, j].astype(self.wide)

    def matrix(self, name: str, element: Callable[[Var, Var], ExprLike]) -> Tensor:
        """A matrix of the shape of the input."""
        self.made.append(te.compute((self.m, self.n), element, name=name))
        return self.made[-1]

    def values(self, name: str, element: Callable[[Var], ExprLike]) -> Tensor:
        """One value a row."""
        self.made.append(te.compute((self.m,), element, name=name))
        return self.made[-1]

    def total(self, name: str, reducer: Reducer, element: Callable[[Var, Var], ExprLike]) -> Tensor:
        """One value a row, by a reduction over its elements."""
        k = te.reduce_axis((0, self.n), "k")

        def reduced(i: Var) -> Expr:
            return reducer(element(i, k.var), axis=k)

        return self.values(name, reduced)

    def per_column(self, name: str) -> Tensor:
        """An input of one value a column."""
        self.inputs.append(te.placeholder((self.n,), self.dtype, name))
        return self.inputs[-1]

    def count(self) -> Expr:
        """The length of a row, as a float."""
        return te.const(self.n, self.wide) if isinstance(self.n, int) else self.n.astype(self.wide)

    def of_elements(self, element: Callable[[Var, Var], ExprLike]) -> Definition:
        """The definition of an operator whose result is a matrix."""

        def narrow(i: Var, j: Var) -> Expr:
            return operators.cast(self.dtype, operators.convert(element(i, j)))

        result = te.compute((self.m, self.n), narrow, name="B")
        return Definition(tuple(self.inputs), (result,), tuple(self.made))

    def of_rows(self, element: Callable[[Var], ExprLike], dtype: str | None = None) -> Definition:
        """The definition of an operator whose result has one value a row."""

        def narrow(i: Var) -> Expr:
            return operators.cast(dtype or self.dtype, operators.convert(element(i)))

        result = te.compute((self.m,), narrow, name="B")
        return Definition(tuple(self.inputs), (result,), tuple(self.made))


def softmax(shape: Sequence[Extent], dtype: str) -> Definition:
    """``B[i, j] = exp(A[i, j] - max_j) / sum_j``; the maximum is subtracted first, so that no exponential overflows.

    Powers of two: hardware has no others.  The product with log2(e) is rounded after the subtraction, which costs
    ``|A - max|`` units in the last place of what is at most ``exp(A - max)``.  Powers below 2**-126 may be taken for
    zero: beside the largest, which is 1, they do not count.
    """
    rows = _Rows(shape, dtype)
    x = rows.x
    largest = rows.total("row_max", te.max, lambda i, k: x[i, k])
    powers = rows.matrix("row_exp", lambda i, j: exp2_flushed((x[i, j] - largest[i]) * LOG2_E))
    total = rows.total("row_sum", te.sum, lambda i, k: powers[i, k])
    inverse = rows.values("row_scale", lambda i: 1.0 / total[i])
    return rows.of_elements(lambda i, j: powers[i, j] * inverse[i])


def log_softmax(shape: Sequence[Extent], dtype: str) -> Definition:
    """``B[i, j] = A[i, j] - max_j - log(sum_j exp(A[i, j] - max_j))``."""
    rows = _Rows(shape, dtype)
    x = rows.x
    largest = rows.total("row_max", te.max, lambda i, k: x[i, k])
    total = rows.total("row_sum", te.sum, lambda i, k: exp(x[i, k] - largest[i]))
    # Not the sum of the two: beside a large maximum nothing would be left of the logarithm.
    logarithm = rows.values("row_log", lambda i: log(total[i]))
    return rows.of_elements(lambda i, j: x[i, j] - largest[i] - logarithm[i])


def layer_norm(shape: Sequence[Extent], dtype: str) -> Definition:
    """``B = (A - mean) / sqrt(variance + 1e-5) * W + V`` with one W and V a column (Ba et al. 2016)."""
    return _layer_norm(_Rows(shape, dtype))


def add_layer_norm(shape: Sequence[Extent], dtype: str) -> Definition:
    """:func:`layer_norm` of ``A + R``."""
    return _layer_norm(_Rows(shape, dtype, residual=True))


def _layer_norm(rows: _Rows) -> Definition:
    x, mean, variance = _moments(rows)
    scale = rows.values("row_scale", lambda i: 1.0 / sqrt(variance[i] / rows.count() + EPSILON))
    weight, bias = rows.per_column("W"), rows.per_column("V")
    wide = rows.wide
    return rows.of_elements(lambda i, j: (x[i, j] - mean[i]) * scale[i] * weight[j].astype(wide) + bias[j].astype(wide))


def _moments(rows: _Rows) -> tuple[Tensor, Tensor, Tensor]:
    """The input, its means, and the sums of squares of what differs from them: two passes, which lose no digits."""
    x = rows.x
    total = rows.total("row_sum", te.sum, lambda i, k: x[i, k])
    mean = rows.values("row_mean", lambda i: total[i] / rows.count())
    squares = rows.total("row_squares", te.sum, lambda i, k: (x[i, k] - mean[i]) * (x[i, k] - mean[i]))
    return x, mean, squares


def rms_norm(shape: Sequence[Extent], dtype: str) -> Definition:
    """``B = A / sqrt(mean of squares + 1e-5) * W`` with one W a column (Zhang and Sennrich 2019)."""
    return _rms_norm(_Rows(shape, dtype))


def add_rms_norm(shape: Sequence[Extent], dtype: str) -> Definition:
    """:func:`rms_norm` of ``A + R``."""
    return _rms_norm(_Rows(shape, dtype, residual=True))


def _rms_norm(rows: _Rows) -> Definition:
    x, wide = rows.x, rows.wide
    squares = rows.total("row_squares", te.sum, lambda i, k: x[i, k] * x[i, k])
    scale = rows.values("row_scale", lambda i: 1.0 / sqrt(squares[i] / rows.count() + EPSILON))
    weight = rows.per_column("W")
    return rows.of_elements(lambda i, j: weight[j].astype(wide) * (x[i, j] * scale[i]))


def row_sum(shape: Sequence[Extent], dtype: str) -> Definition:
    """The sum of each row, kept in float32 for 16-bit inputs."""
    rows = _Rows(shape, dtype)
    total = rows.total("row_sum", te.sum, lambda i, k: rows.x[i, k])
    return rows.of_rows(lambda i: total[i])


def row_mean(shape: Sequence[Extent], dtype: str) -> Definition:
    """The mean of each row."""
    rows = _Rows(shape, dtype)
    total = rows.total("row_sum", te.sum, lambda i, k: rows.x[i, k])
    return rows.of_rows(lambda i: total[i] / rows.count())


def row_max(shape: Sequence[Extent], dtype: str) -> Definition:
    """The largest element of each row."""
    rows = _Rows(shape, dtype)
    largest = rows.total("row_max", te.max, lambda i, k: rows.x[i, k])
    return rows.of_rows(lambda i: largest[i])


def row_min(shape: Sequence[Extent], dtype: str) -> Definition:
    """The smallest element of each row."""
    rows = _Rows(shape, dtype)
    smallest = rows.total("row_min", te.min, lambda i, k: rows.x[i, k])
    return rows.of_rows(lambda i: smallest[i])


def row_variance(shape: Sequence[Extent], dtype: str) -> Definition:
    """The mean of the squares of what differs from the mean, of each row."""
    rows = _Rows(shape, dtype)
    _, _, squares = _moments(rows)
    return rows.of_rows(lambda i: squares[i] / rows.count())


def row_norm(shape: Sequence[Extent], dtype: str) -> Definition:
    """The Euclidean norm of each row."""
    rows = _Rows(shape, dtype)
    squares = rows.total("row_squares", te.sum, lambda i, k: rows.x[i, k] * rows.x[i, k])
    return rows.of_rows(lambda i: sqrt(squares[i]))


def row_argmax(shape: Sequence[Extent], dtype: str) -> Definition:
    """The place (int32) of the largest element of each row, the first of equal ones; NaN is larger than numbers."""
    rows = _Rows(shape, dtype)
    x, wide = rows.x, rows.wide
    k = te.reduce_axis((0, rows.n), "k")
    first_largest = te.comm_reducer(extreme.combine, extreme.nothing, name="first_largest")
    found = te.compute((rows.m,), lambda i: first_largest(extreme.candidate(k.var, x[i, k]), axis=k), name="row_best")
    rows.made.append(found[0])
    place = found[0]
    return rows.of_rows(lambda i: extreme.place_of(place[i], wide), "int32")


def row_argmax_in_two(shape: Sequence[Extent], dtype: str) -> Definition:
    """:func:`row_argmax` by two reductions of single values: the largest element, then where it is first.

    Of each element, half as much is compared as by pairs, but the row is gone over twice.
    """
    rows = _Rows(shape, dtype)
    x = rows.x
    largest = rows.total("row_max", te.max, lambda i, k: x[i, k])
    place = rows.total("row_best", te.min, lambda i, k: extreme.place_among(k, x[i, k], largest[i]))
    return rows.of_rows(lambda i: extreme.place_of(place[i], rows.wide), "int32")


def gemv(shape: Sequence[Extent], dtype: str) -> Definition:
    """``B[i] = sum_k A[i, k] * V[k]`` for shape (M, N): a matrix times a vector."""
    rows = _Rows(shape, dtype)
    vector = rows.per_column("V")
    total = rows.total("row_sum", te.sum, lambda i, k: rows.x[i, k] * vector[k].astype(rows.wide))
    return rows.of_rows(lambda i: total[i])
