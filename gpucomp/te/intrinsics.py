"""Ready-made tensor intrinsics: the dot product of four bytes, and products of small tiles in vectors."""

from __future__ import annotations

from typing import Any  # Any: buffers and statements of the builders

from gpucomp.te.api import compute, placeholder, reduce_axis, var
from gpucomp.te.reduction import sum_of
from gpucomp.te.tensor import Tensor
from gpucomp.te.tensor_intrin import TensorIntrin, decl_tensor_intrin
from gpucomp.tir import operators
from gpucomp.tir.buffer import Buffer, decl_buffer
from gpucomp.tir.expr import Broadcast, Expr, Var
from gpucomp.tir.intrin import dp4a as dot_of_bytes
from gpucomp.tir.stmt import BufferStore, For, ForKind, Stmt, seq


def dp4a(
    x_scope: str = "local", y_scope: str = "local", z_scope: str = "local", dtypes: tuple[str, str] = ("int8", "int8")
) -> TensorIntrin:
    """``z[0] += x[0] * y[0] + ... + x[3] * y[3]`` for four bytes each, summed in 32 bits.

    One instruction where the target has the feature ``dp4a`` (CUDA from sm_61), products and sums elsewhere.

    Args:
        x_scope, y_scope, z_scope: memory of the operands and of the result.
        dtypes: of the operands: both "int8" (the result is int32) or both "uint8" (uint32).

    Raises:
        TypeMismatchError: other types.
    """
    total = "int32" if dtypes[0] == "int8" else "uint32"
    x, y = placeholder((4,), dtypes[0], "x"), placeholder((4,), dtypes[1], "y")
    k = reduce_axis((0, 4), "rc")
    z = compute((1,), lambda i: sum_of(x[k].astype(total) * y[k].astype(total), axis=k), name="z")

    def statements(ins: Any, outs: Any) -> tuple[Stmt, Stmt, Stmt]:
        a, b = [buffer.vload((0,), f"{buffer.dtype}x4") for buffer in ins]
        old = outs[0].vload((0,))
        zero = operators.const(0, total)
        return (
            outs[0].vstore((0,), dot_of_bytes(a, b, zero)),
            outs[0].vstore((0,), zero),
            outs[0].vstore((0,), dot_of_bytes(a, b, old)),
        )

    def buffer(tensor: Tensor, scope: str, factor: int) -> Buffer:
        return decl_buffer(
            tensor.shape, tensor.dtype, tensor.name, scope=scope, strides=[1], offset_factor=factor,
            data_alignment=factor,
        )  # fmt: skip

    binds = {x: buffer(x, x_scope, 4), y: buffer(y, y_scope, 4), z: buffer(z, z_scope, 1)}
    return decl_tensor_intrin(z.op, statements, "dp4a", binds=binds)


def gemv(m: int, k: int, dtype: str = "float32") -> TensorIntrin:
    """``z[i] += sum(x[i, r] * y[r])`` for ``m`` rows of ``k`` elements: a column of the tile at a time."""
    x, y = placeholder((m, k), dtype, "x"), placeholder((k,), dtype, "y")
    r = reduce_axis((0, k), "r")
    z = compute((m,), lambda i: sum_of(x[i, r] * y[r], axis=r), name="z")

    def statements(ins: Any, outs: Any) -> tuple[Stmt, Stmt, Stmt]:
        (a, b), c = ins, outs[0]
        reset = _loop(m, lambda i: BufferStore(c, operators.const(0, dtype), (i,)))
        update = _loop(k, lambda p: _loop(m, lambda i: BufferStore(c, c[i] + a[i, p] * b[p], (i,))))
        return seq(reset, update), reset, update

    return decl_tensor_intrin(z.op, statements, f"gemv_{m}x{k}", binds={t: _strided(t) for t in (x, y, z)})


def micro_gemm(m: int, n: int, k: int, dtype: str = "float32") -> TensorIntrin:
    """``z[i, j] += sum(x[i, r] * y[r, j])`` for ``m`` rows of ``n`` lanes: one vector operation a row and step.

    The rows of ``y`` and ``z`` lie in one piece; the rows may be any distance apart.
    """
    x, y = placeholder((m, k), dtype, "x"), placeholder((k, n), dtype, "y")
    r = reduce_axis((0, k), "r")
    z = compute((m, n), lambda i, j: sum_of(x[i, r] * y[r, j], axis=r), name="z")
    row = f"{dtype}x{n}" if n > 1 else dtype

    def statements(ins: Any, outs: Any) -> tuple[Stmt, Stmt, Stmt]:
        (a, b), c = ins, outs[0]

        def step(i: Var, p: Var) -> Stmt:
            lanes: Expr = Broadcast(a[i, p], n) if n > 1 else a[i, p]
            return c.vstore((i, 0), c.vload((i, 0), row) + lanes * b.vload((p, 0), row))

        reset = _loop(m, lambda i: c.vstore((i, 0), operators.const(0, row)))
        update = _loop(k, lambda p: _loop(m, lambda i: step(i, p)))
        return seq(reset, update), reset, update

    return decl_tensor_intrin(z.op, statements, f"micro_gemm_{m}x{n}x{k}", binds={t: _strided(t) for t in (x, y, z)})


def _loop(extent: int, body: Any) -> Stmt:
    index = Var("t", "int32")
    return For(index, 0, extent, ForKind.SERIAL, body(index))


def _strided(tensor: Tensor) -> Buffer:
    strides = [var(f"{tensor.name}_stride{i}") for i in range(tensor.ndim - 1)]
    return decl_buffer(tensor.shape, tensor.dtype, tensor.name, strides=[*strides, 1], offset_factor=1)
