"""Tensor intrinsics for tests: declared for any size, made of plain statements, so that every target runs them."""

from __future__ import annotations

from typing import Any  # Any: buffers and statements of the builders below

from gpucomp import te, tir
from gpucomp.tir import For, ForKind, Stmt
from gpucomp.tir.stmt import seq


def loop(extent: object, body: Any, name: str = "t") -> Stmt:
    """A serial loop whose body is made from its variable."""
    var = tir.Var(name, "int32")
    return For(var, 0, extent, ForKind.SERIAL, body(var))


def view(tensor: te.Tensor, *, strided: bool = True, scope: str = "", offset_factor: int = 1) -> tir.Buffer:
    """A buffer over any part of a tensor: symbolic strides but for the last dimension, symbolic offset."""
    strides: list[Any] = [te.var(f"{tensor.name}_s{i}") for i in range(tensor.ndim - 1)]
    return tir.decl_buffer(
        tensor.shape, tensor.dtype, tensor.name, offset_factor=offset_factor, scope=scope,
        strides=[*strides, 1] if strided and tensor.ndim else None,
    )  # fmt: skip


def row_intrin(n: int, dtype: str = "float32", scope: str = "", *, vector: bool = True) -> te.TensorIntrin:
    """``c[i] = a[i] * 2 + b[i]`` for n elements in a row, as one vector statement or as a loop."""
    a, b = te.placeholder((n,), dtype, "a"), te.placeholder((n,), dtype, "b")
    two = tir.const(2, dtype)
    c = te.compute((n,), lambda i: a[i] * two + b[i], name="c")

    def rows(ins: Any, outs: Any) -> Stmt:
        (x, y), z = ins, outs[0]
        if not vector:
            return loop(n, lambda i: tir.BufferStore(z, x[i] * two + y[i], [i]))
        kind = f"{dtype}x{n}"
        return z.vstore((0,), x.vload((0,), kind) * tir.const(2, kind) + y.vload((0,), kind))

    binds = {t: view(t, scope=scope) for t in (a, b, c)} if scope else None
    return te.decl_tensor_intrin(c.op, rows, f"row_{n}", binds=binds)


def gemm_intrin(
    m: int, n: int, k: int, dtype: str = "float32", *, reset: bool = True, body: bool = True, scopes: Any = ("", "", "")
) -> te.TensorIntrin:
    """``c[i, j] = sum(a[i, r] * b[r, j])`` over a tile, with body, reset and update; scopes are those of a, b, c."""
    a, b = te.placeholder((m, k), dtype, "a"), te.placeholder((k, n), dtype, "b")
    r = te.reduce_axis((0, k), "r")
    c = te.compute((m, n), lambda i, j: te.sum(a[i, r] * b[r, j], axis=r), name="c")

    def tile(ins: Any, outs: Any) -> tuple[Stmt | None, Stmt | None, Stmt]:
        (x, y), z = ins, outs[0]

        def each(made: Any) -> Stmt:
            return loop(m, lambda i: loop(n, lambda j: made(i, j), "tj"), "ti")

        def one(i: Any, j: Any, p: Any) -> Stmt:
            return tir.BufferStore(z, z[i, j] + x[i, p] * y[p, j], [i, j])

        clear = each(lambda i, j: tir.BufferStore(z, tir.const(0, dtype), [i, j]))
        update = each(lambda i, j: loop(k, lambda p: one(i, j, p), "tk"))
        return (seq(clear, update) if body else None), (clear if reset else None), update

    binds = {t: view(t, scope=scope) for t, scope in zip((a, b, c), scopes, strict=True)}
    return te.decl_tensor_intrin(c.op, tile, f"gemm_{m}x{n}x{k}", binds=binds)


def gemv_intrin(m: int, k: int, dtype: str = "float32", *, reset: bool = True) -> te.TensorIntrin:
    """``c[i] = sum(a[i, r] * b[r])`` over a tile, with body, reset and update."""
    a, b = te.placeholder((m, k), dtype, "a"), te.placeholder((k,), dtype, "b")
    r = te.reduce_axis((0, k), "r")
    c = te.compute((m,), lambda i: te.sum(a[i, r] * b[r], axis=r), name="c")

    def tile(ins: Any, outs: Any) -> tuple[Stmt, Stmt | None, Stmt]:
        (x, y), z = ins, outs[0]
        clear = loop(m, lambda i: tir.BufferStore(z, tir.const(0, dtype), [i]))
        update = loop(
            m, lambda i: loop(k, lambda p: tir.BufferStore(z, z[i] + x[i, p] * y[p], [i]), "tk"), "ti"
        )  # fmt: skip
        return seq(clear, update), (clear if reset else None), update

    return te.decl_tensor_intrin(c.op, tile, f"gemv_{m}x{k}", binds={t: view(t) for t in (a, b, c)})


def copy_intrin(m: int, n: int, dtype: str = "float32") -> te.TensorIntrin:
    """``b[i, j] = a[i, j]`` for a tile in strided memory."""
    a = te.placeholder((m, n), dtype, "a")
    b = te.compute((m, n), lambda i, j: a[i, j], name="b")

    def copy(ins: Any, outs: Any) -> Stmt:
        x, z = ins[0], outs[0]
        return loop(m, lambda i: loop(n, lambda j: tir.BufferStore(z, x[i, j], [i, j]), "tj"), "ti")

    return te.decl_tensor_intrin(b.op, copy, f"copy_{m}x{n}", binds={a: view(a), b.op.output(0): view(b)})
