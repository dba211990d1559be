"""Definitions of operators on the rows of a matrix."""

from __future__ import annotations

from collections.abc import Sequence

from gpucomp import te
from gpucomp.kernels.registry import Definition, Extent, sum_dtype
from gpucomp.tir.expr import Expr, Var
from gpucomp.tir.intrin import exp


def softmax(shape: Sequence[Extent], dtype: str) -> Definition:
    """``B[i, j] = exp(A[i, j] - max_j) / sum_j`` over each row of shape (M, N).

    The maximum is subtracted first, so no exponential overflows. 16-bit inputs are treated in float32.

    Intermediates: maxima (M,), exponentials (M, N), sums (M,).
    """
    m, n = shape
    a = te.placeholder((m, n), dtype, "A")
    wide = sum_dtype(dtype)
    r, s = te.reduce_axis((0, n), "k"), te.reduce_axis((0, n), "k")

    def maximum(i: Var) -> Expr:
        return te.max(a[i, r].astype(wide), axis=r)

    largest = te.compute((m,), maximum, name="row_max")

    def exponential(i: Var, j: Var) -> Expr:
        return exp(a[i, j].astype(wide) - largest[i])

    powers = te.compute((m, n), exponential, name="row_exp")

    def total(i: Var) -> Expr:
        return te.sum(powers[i, s], axis=s)

    totals = te.compute((m,), total, name="row_sum")

    def quotient(i: Var, j: Var) -> Expr:
        return (powers[i, j] / totals[i]).astype(dtype)

    result = te.compute((m, n), quotient, name="B")
    return Definition((a,), (result,), (largest, powers, totals))
