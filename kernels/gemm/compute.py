"""Definitions of matrix products."""

from __future__ import annotations

from collections.abc import Sequence

from gpucomp import te
from gpucomp.kernels.elementwise.compute import gelu_of
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


def matmul_bias_gelu(shape: Sequence[Extent], dtype: str) -> Definition:
    """``D[i, j] = gelu(sum over k of A[i, k] * B[k, j] + V[j])`` for shape (M, N, K), converted to the inputs' type.

    The product is an intermediate: schedules keep it in registers and compute the rest where it is stored.
    """
    plain = matmul(shape, dtype)
    (product,) = plain.outputs
    n = shape[1]
    v = te.placeholder((n,), dtype, "V")

    def shifted(i: Var, j: Var) -> Expr:
        return product[i, j] + v[j].astype(sum_dtype(dtype))

    biased = te.compute(product.shape, shifted, name="biased")

    def element(i: Var, j: Var) -> Expr:
        return gelu_of(biased[i, j]).astype(dtype)

    out = te.compute(product.shape, element, name="D")
    return Definition((*plain.inputs, v), (out,), (product, biased))
