"""Definitions of matrix products."""

from __future__ import annotations

from collections.abc import Sequence

from gpucomp import te
from gpucomp.kernels.elementwise.compute import gelu_of
from gpucomp.kernels.registry import Definition, Extent, sum_dtype
from gpucomp.tir.expr import Expr, Var


def _product(
    shape: Sequence[Extent], dtype: str, *, transpose_a: bool = False, transpose_b: bool = False, wide: str = ""
) -> Definition:
    """``C[i, j] = sum over k`` of products for shape (M, N, K), or (batch, M, N, K) for one product each.

    A transposed first operand is stored (K, M), a transposed second one (N, K).
    """
    *batch, m, n, k = shape
    a = te.placeholder((*batch, *((k, m) if transpose_a else (m, k))), dtype, "A")
    b = te.placeholder((*batch, *((n, k) if transpose_b else (k, n))), dtype, "B")
    r = te.reduce_axis((0, k), "k")
    total = wide or sum_dtype(dtype)

    def product(*index: Var) -> Expr:
        *which, i, j = index
        x = a[(*which, r, i) if transpose_a else (*which, i, r)]
        y = b[(*which, j, r) if transpose_b else (*which, r, j)]
        return te.sum(x.astype(total) * y.astype(total), axis=r)

    def plain(i: Var, j: Var) -> Expr:
        return product(i, j)

    def batched(b: Var, i: Var, j: Var) -> Expr:
        return product(b, i, j)

    return Definition((a, b), (te.compute((*batch, m, n), batched if batch else plain, name="C"),))


def matmul(shape: Sequence[Extent], dtype: str) -> Definition:
    """``C[i, j] = sum over k of A[i, k] * B[k, j]`` for shape (M, N, K).

    16-bit inputs are multiplied and summed in float32, which is then the type of the result.
    """
    return _product(shape, dtype)


def matmul_nt(shape: Sequence[Extent], dtype: str) -> Definition:
    """``C[i, j] = sum over k of A[i, k] * B[j, k]``: the second operand is stored transposed, as weights often are."""
    return _product(shape, dtype, transpose_b=True)


def matmul_tn(shape: Sequence[Extent], dtype: str) -> Definition:
    """``C[i, j] = sum over k of A[k, i] * B[k, j]``: the first operand is stored transposed."""
    return _product(shape, dtype, transpose_a=True)


def matmul_tt(shape: Sequence[Extent], dtype: str) -> Definition:
    """``C[i, j] = sum over k of A[k, i] * B[j, k]``: both operands are stored transposed."""
    return _product(shape, dtype, transpose_a=True, transpose_b=True)


def batch_matmul(shape: Sequence[Extent], dtype: str) -> Definition:
    """``C[b, i, j] = sum over k of A[b, i, k] * B[b, k, j]`` for shape (B, M, N, K)."""
    return _product(shape, dtype)


def matmul_int8(shape: Sequence[Extent], dtype: str) -> Definition:
    """``C[i, j] = sum over k of A[i, k] * B[j, k]`` of 8-bit integers, in int32; B is stored (N, K)."""
    return _product(shape, dtype, transpose_b=True, wide="int32")


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
