"""Definitions of matrix products."""

from __future__ import annotations

from collections.abc import Sequence

from gpucomp import te
from gpucomp.kernels.registry import Definition, Extent, sum_dtype
from gpucomp.tir.expr import Expr, Var


def matmul(shape: Sequence[Extent], dtype: str) -> Definition:
    """``C[i, j] = sum over k of A[i, k] * B[k, j]`` for shape (M, N, K).

    16-bit inputs are multiplied and summed in float32, which is then the type of the result.
    """
    m, n, k = shape
    a, b = te.placeholder((m, k), dtype, "A"), te.placeholder((k, n), dtype, "B")
    r = te.reduce_axis((0, k), "k")
    wide = sum_dtype(dtype)

    def product(i: Var, j: Var) -> Expr:
        return te.sum(a[i, r].astype(wide) * b[r, j].astype(wide), axis=r)

    return Definition((a, b), (te.compute((m, n), product, name="C"),))
