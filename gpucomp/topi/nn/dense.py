"""Products of matrices, with a bias and with types for the sums."""

from __future__ import annotations

from collections.abc import Sequence

from gpucomp.te.api import compute, reduce_axis
from gpucomp.te.reduction import sum_of
from gpucomp.te.tensor import Tensor
from gpucomp.tir import operators
from gpucomp.tir.expr import Expr
from gpucomp.topi.nn.elemwise import bias_add
from gpucomp.topi.utils import Extent, maybe_int, same_extent, shape_error, tensor_of


def dense(data: Tensor, weight: Tensor, bias: Tensor | None = None, out_dtype: str | None = None) -> Tensor:
    """``data @ weight.T + bias``.

    Args:
        data: (batch, in).
        weight: (out, in).
        bias: (out,), or None.
        out_dtype: type of factors, sums and result; that of data if None.

    Raises:
        TensorError: GC216 the shapes do not go together; GC222 the wrong number of dimensions.
    """
    return matmul(data, weight, bias, out_dtype, transpose_b=True, _name="dense")


def matmul(
    tensor_a: Tensor,
    tensor_b: Tensor,
    bias: Tensor | None = None,
    out_dtype: str | None = None,
    transpose_a: bool = False,
    transpose_b: bool = False,
    _name: str = "matmul",
) -> Tensor:
    """``a @ b + bias``.

    Args:
        tensor_a: (m, k), or (k, m) with ``transpose_a``.
        tensor_b: (k, n), or (n, k) with ``transpose_b``.
        bias: (n,), or None.
        out_dtype: type of factors, sums and result; that of a if None.
        transpose_a: a is stored transposed.
        transpose_b: b is stored transposed.

    Raises:
        TensorError: GC216 the shapes do not go together; GC222 the wrong number of dimensions.
    """
    a, b = tensor_of(f"nn.{_name}", tensor_a, 2), tensor_of(f"nn.{_name}", tensor_b, 2)
    dtype = out_dtype or a.dtype
    depth, rows = a.shape if transpose_a else a.shape[::-1]
    columns, other = b.shape if transpose_b else b.shape[::-1]
    if not same_extent(depth, other):
        raise shape_error(f"nn.{_name}", f"the extents {depth} and {other} have to be equal", a, b)
    k = reduce_axis((0, depth), "k")

    def element(i: Expr, j: Expr) -> Expr:
        x = a(k.var, i) if transpose_a else a(i, k.var)
        y = b(j, k.var) if transpose_b else b(k.var, j)
        return sum_of(operators.multiply(operators.cast(dtype, x), operators.cast(dtype, y)), axis=k)

    tag = {"dense": "dense", "matmul": "matmul"}[_name]
    product = compute((rows, columns), element, name=f"T_{_name}", tag=tag)
    if bias is None:
        return product
    tensor_of(f"nn.{_name}: bias", bias, 1)
    return bias_add(product, _cast(bias, dtype), 1)


def _cast(x: Tensor, dtype: str) -> Tensor:
    return x if x.dtype == dtype else compute(x.shape, lambda *i: operators.cast(dtype, x(*i)), name="T_cast")


def batch_matmul(
    tensor_a: Tensor,
    tensor_b: Tensor,
    oshape: Sequence[Extent] | None = None,
    out_dtype: str | None = None,
    transpose_a: bool = False,
    transpose_b: bool = True,
) -> Tensor:
    """A product for each element of the first dimension; a batch of 1 goes with any other.

    Args:
        tensor_a: (batch, m, k), or (batch, k, m) transposed.
        tensor_b: (batch, n, k), or (batch, k, n) if it is not transposed.
        oshape: extents of the result, (batch, m, n) if None.
        out_dtype: type of factors, sums and result; that of a if None.

    Raises:
        TensorError: GC216 the shapes do not go together; GC222 the wrong number of dimensions.
    """
    a, b = tensor_of("nn.batch_matmul", tensor_a, 3), tensor_of("nn.batch_matmul", tensor_b, 3)
    dtype = out_dtype or a.dtype
    depth, rows = (a.shape[1], a.shape[2]) if transpose_a else (a.shape[2], a.shape[1])
    columns, other = (b.shape[1], b.shape[2]) if transpose_b else (b.shape[2], b.shape[1])
    one_a, one_b = maybe_int(a.shape[0]) == 1, maybe_int(b.shape[0]) == 1
    if not same_extent(depth, other) or not (one_a or one_b or same_extent(a.shape[0], b.shape[0])):
        raise shape_error("nn.batch_matmul", "equal batches (or 1), and equal extents to sum over", a, b)
    batch = b.shape[0] if one_a else a.shape[0]
    k = reduce_axis((0, depth), "k")

    def element(n: Expr, i: Expr, j: Expr) -> Expr:
        p, q = 0 if one_a else n, 0 if one_b else n
        x = a(p, k.var, i) if transpose_a else a(p, i, k.var)
        y = b(q, j, k.var) if transpose_b else b(q, k.var, j)
        return sum_of(operators.multiply(operators.cast(dtype, x), operators.cast(dtype, y)), axis=k)

    return compute(oshape or (batch, rows, columns), element, name="T_batch_matmul", tag="batch_matmul")
