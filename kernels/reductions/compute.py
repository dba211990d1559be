"""Definitions of reductions of whole vectors, and of the columns of a matrix.  16-bit inputs are summed in float32."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gpucomp import te
from gpucomp.kernels.registry import Definition, Extent, sum_dtype
from gpucomp.te import Tensor
from gpucomp.tir import operators
from gpucomp.tir.expr import Expr, Var
from gpucomp.tir.intrin import sqrt

Finish = Callable[[Expr], Expr]


def _all(shape: Sequence[Extent], dtype: str, reducer: Callable[..., Expr], square: bool, finish: Finish) -> Definition:
    (n,) = shape
    wide = sum_dtype(dtype)
    a = te.placeholder((n,), dtype, "A")

    def element(i: Var) -> Expr:
        return a[i].astype(wide)

    x = te.compute((n,), element, name="X")
    k = te.reduce_axis((0, n), "k")

    def reduced(i: Var) -> Expr:
        value = x[k.var]
        return reducer(value * value if square else value, axis=k)

    total = te.compute((1,), reduced, name="total")

    def result(i: Var) -> Expr:
        return finish(operators.convert(total[i])).astype(dtype)

    return Definition((a,), (te.compute((1,), result, name="B"),), (x, total))


def _count(n: Extent, dtype: str) -> Expr:
    wide = sum_dtype(dtype)
    return te.const(n, wide) if isinstance(n, int) else n.astype(wide)


def sum_all(shape: Sequence[Extent], dtype: str) -> Definition:
    """``B[0]``: the sum of a vector of shape (N,)."""
    return _all(shape, dtype, te.sum, False, lambda total: total)


def mean_all(shape: Sequence[Extent], dtype: str) -> Definition:
    """``B[0]``: the mean of a vector of shape (N,)."""
    return _all(shape, dtype, te.sum, False, lambda total: total / _count(shape[0], dtype))


def max_all(shape: Sequence[Extent], dtype: str) -> Definition:
    """``B[0]``: the largest element of a vector of shape (N,)."""
    return _all(shape, dtype, te.max, False, lambda total: total)


def norm_all(shape: Sequence[Extent], dtype: str) -> Definition:
    """``B[0]``: the Euclidean norm of a vector of shape (N,)."""
    return _all(shape, dtype, te.sum, True, sqrt)


def _columns(shape: Sequence[Extent], dtype: str, reducer: Callable[..., Expr], finish: Finish) -> Definition:
    m, n = shape
    wide = sum_dtype(dtype)
    a = te.placeholder((m, n), dtype, "A")
    x = te.compute((m, n), lambda i, j: a[i, j].astype(wide), name="X")
    k = te.reduce_axis((0, m), "k")
    total: Tensor = te.compute((n,), lambda j: reducer(x[k.var, j], axis=k), name="total")
    result = te.compute((n,), lambda j: finish(operators.convert(total[j])).astype(dtype), name="B")
    return Definition((a,), (result,), (x, total))


def column_sum(shape: Sequence[Extent], dtype: str) -> Definition:
    """``B[j]``: the sum of each column of a matrix of shape (M, N)."""
    return _columns(shape, dtype, te.sum, lambda total: total)


def column_mean(shape: Sequence[Extent], dtype: str) -> Definition:
    """``B[j]``: the mean of each column of a matrix of shape (M, N)."""
    return _columns(shape, dtype, te.sum, lambda total: total / _count(shape[0], dtype))


def column_max(shape: Sequence[Extent], dtype: str) -> Definition:
    """``B[j]``: the largest element of each column of a matrix of shape (M, N)."""
    return _columns(shape, dtype, te.max, lambda total: total)
