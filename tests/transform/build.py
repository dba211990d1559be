"""Short ways to write IR by hand, and one kernel in buffer form that goes through every pass."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import numpy as np

from gpucomp.ir.types import PointerType, PrimType
from gpucomp.support.dtype import FLOAT32
from gpucomp.tir import operators
from gpucomp.tir.buffer import Buffer, decl_buffer
from gpucomp.tir.expr import Expr, ExprLike, IntImm, IterVar, Range, Var
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.functor import post_order
from gpucomp.tir.interp import interpret
from gpucomp.tir.intrin import if_then_else, likely
from gpucomp.tir.stmt import (
    Allocate,
    AttrStmt,
    BufferRealize,
    BufferStore,
    For,
    ForKind,
    IfThenElse,
    Stmt,
    seq,
)
from gpucomp.transform.walk import TRUE

_T = TypeVar("_T")
SERIAL, PARALLEL, VECTORIZED, UNROLLED = ForKind.SERIAL, ForKind.PARALLEL, ForKind.VECTORIZED, ForKind.UNROLLED


def func(buffers: Sequence[Buffer], body: Stmt, scalars: Sequence[Var] = (), **attrs: object) -> PrimFunc:
    """A function over argument buffers."""
    handles = {Var(b.name, PointerType(PrimType(b.dtype))): b for b in buffers}
    return PrimFunc((*handles, *scalars), body, handles, {"global_symbol": "main", **attrs})


def loop(var: Var, extent: ExprLike, body: Stmt, kind: ForKind = SERIAL, low: ExprLike = 0, **notes: object) -> For:
    """A loop from ``low``."""
    return For(var, operators.convert(low), operators.convert(extent), kind, body, None, notes or None)


def nest(loops: Sequence[tuple[Var, ExprLike]], body: Stmt, kind: ForKind = SERIAL) -> Stmt:
    """Loops from the outside in."""
    for var, extent in reversed(loops):
        body = loop(var, extent, body, kind)
    return body


def store(buffer: Buffer, indices: ExprLike | Sequence[ExprLike], value: ExprLike) -> BufferStore:
    """``buffer[indices] = value``."""
    items = list(indices) if isinstance(indices, (tuple, list)) else [indices]
    return BufferStore(buffer, value, tuple(items))


def thread(tag: str, var: Var, extent: ExprLike, body: Stmt) -> AttrStmt:
    """A thread axis around ``body``; tag "vthread" gives a virtual one."""
    key = "virtual_thread" if tag == "vthread" else "thread_extent"
    size = operators.convert(extent)
    axis = IterVar(Range.from_min_extent(0, size), var, IterVar.ThreadIndex, tag)
    return AttrStmt(axis, key, size, body)


def realize(buffer: Buffer, bounds: Sequence[tuple[ExprLike, ExprLike]], body: Stmt) -> BufferRealize:
    """The box (min, extent) of an internal buffer during ``body``."""
    return BufferRealize(buffer, tuple([Range.from_min_extent(*b) for b in bounds]), TRUE, body)


def allocate(buffer: Buffer, body: Stmt) -> Allocate:
    """Memory for a flat internal buffer."""
    return Allocate(buffer.data, buffer.dtype, buffer.shape, TRUE, body)


def internal(name: str, shape: ExprLike | Sequence[ExprLike], scope: str = "local", dtype: str = "float32") -> Buffer:
    """A buffer that is no argument."""
    return decl_buffer(shape, dtype, name, scope=scope)


def nodes(root: Stmt | PrimFunc, kind: type[_T]) -> list[_T]:
    """All statements and expressions of a class, children first."""
    body = root.body if isinstance(root, PrimFunc) else root
    return [n for n in post_order(body) if isinstance(n, kind)]


def tiled_matmul(
    m: ExprLike,
    n: ExprLike,
    k: ExprLike,
    *,
    tile: tuple[int, int, int] = (16, 16, 8),
    threads: tuple[int, int] = (4, 4),
    vthreads: tuple[int, int] = (2, 2),
    vector: int = 1,
    double_buffer: bool = False,
    pad: int = 0,
    attrs: Mapping[str, object] | None = None,
) -> PrimFunc:
    """C = A @ B in buffer form, as a schedule with shared and local caches lowers to.

    Where an extent is no multiple of its tile, tiles are filled up with zeros and stores are guarded. ``tile`` is
    (rows, columns, depth) of a block.
    """
    rows, columns, depth = (operators.convert(x) for x in (m, n, k))
    shapes = (("A", (rows, depth)), ("B", (depth, columns)), ("C", (rows, columns)))
    a, b, c = (decl_buffer(s, FLOAT32, x) for x, s in shapes)
    bm, bn, bk = tile
    ty_n, tx_n = threads
    vy_n, vx_n = vthreads
    tm, tn = bm // ty_n // vy_n, bn // tx_n // vx_n
    by, bx, ty, tx, vy, vx = (Var(x) for x in ("by", "bx", "ty", "tx", "vy", "vx"))
    ko, ki, ii, jj = (Var(x) for x in ("ko", "ki", "ii", "jj"))
    shared_a, shared_b = internal("A_shared", (rows, depth), "shared"), internal("B_shared", (depth, columns), "shared")
    local_a, local_b, local_c = (internal(f"{x}_local", s) for x, s in shapes)
    row0, column0 = by * bm + vy * (bm // vy_n) + ty * tm, bx * bn + vx * (bn // vx_n) + tx * tn
    row, column, deep = row0 + ii, column0 + jj, ko * bk + ki

    def divides(step: int, size: Expr) -> bool:
        return isinstance(size, IntImm) and size.value % step == 0

    def guarded(body: Stmt, *checks: tuple[Expr, Expr, int]) -> Stmt:
        for index, size, step in checks:
            if not divides(step, size):
                body = IfThenElse(likely(index < size), body)
        return body

    def fetch(target: Buffer, source: Buffer, box: tuple[int, int], low: tuple[Expr, Expr]) -> Stmt:
        turn, lane = Var("turn"), Var("lane")
        step = ty_n * tx_n * vector
        flat = (turn * (ty_n * tx_n) + ty * tx_n + tx) * vector + lane
        at = (low[0] + flat // box[1], low[1] + flat % box[1])
        value: Expr = source[at]
        for index, size, whole in zip(at, source.shape, box, strict=True):
            if not divides(whole, size):
                value = if_then_else(likely(index < size), value, 0.0)
        inner = loop(lane, vector, store(target, at, value), VECTORIZED if vector > 1 else SERIAL)
        return loop(turn, box[0] * box[1] // step, inner)

    def tiles(body: Stmt) -> Stmt:
        return nest([(ii, tm), (jj, tn)], body)

    multiply = store(local_c, (row, column), local_c[row, column] + local_a[row, deep] * local_b[deep, column])
    inside = seq(
        loop(ii, tm, store(local_a, (row, deep), shared_a[row, deep])),
        loop(jj, tn, store(local_b, (deep, column), shared_b[deep, column])),
        tiles(multiply),
    )
    inside = realize(local_a, [(row0, tm), (deep, 1)], realize(local_b, [(deep, 1), (column0, tn)], inside))
    consume = loop(ki, bk, inside)
    fetch_a = fetch(shared_a, a, (bm, bk), (by * bm, ko * bk))
    fetch_b = fetch(shared_b, b, (bk, bn), (ko * bk, bx * bn))

    def cached(buffer: Buffer, box: list[tuple[ExprLike, ExprLike]], body: Stmt) -> Stmt:
        if double_buffer:
            body = AttrStmt(buffer, "double_buffer_scope", 1, body)
        body = realize(buffer, box, body)
        if pad:
            body = AttrStmt((buffer, 0, 32, pad), "buffer_dim_align", 1, body)
        return body

    step = cached(
        shared_a,
        [(by * bm, bm), (ko * bk, bk)],
        seq(fetch_a, cached(shared_b, [(ko * bk, bk), (bx * bn, bn)], seq(fetch_b, consume))),
    )
    write = guarded(store(c, (row, column), local_c[row, column]), (row, rows, bm), (column, columns, bn))
    body = seq(
        tiles(store(local_c, (row, column), 0.0)),
        loop(ko, operators.floordiv(depth + (bk - 1), bk), step),
        tiles(write),
    )
    body = realize(local_c, [(row0, tm), (column0, tn)], body)
    axes: list[tuple[str, Var, ExprLike]] = [
        ("blockIdx.y", by, operators.floordiv(rows + (bm - 1), bm)),
        ("blockIdx.x", bx, operators.floordiv(columns + (bn - 1), bn)),
        ("vthread", vy, vy_n),
        ("vthread", vx, vx_n),
        ("threadIdx.y", ty, ty_n),
        ("threadIdx.x", tx, tx_n),
    ]
    for tag, var, extent in reversed(axes):
        body = thread(tag, var, extent, body)
    return func([a, b, c], body, (), **(attrs or {}))


Pass = Callable[[PrimFunc], PrimFunc]


def apply(function: PrimFunc, *passes: Pass) -> PrimFunc:
    """Run passes in order."""
    for one in passes:
        function = one(function)
    return function


def outputs(
    function: PrimFunc, arrays: Sequence[np.ndarray], written: int = 1, *, races: bool = False
) -> list[np.ndarray]:
    """Run a function on copies of ``arrays``; gives the last ``written`` ones afterwards."""
    copies = [a.copy() for a in arrays]
    interpret(function, copies, races=races)
    return copies[-written:]


def numbers(*shape: int, dtype: str = "float32", seed: int = 0) -> np.ndarray:
    """Small integers, so that sums in any order are exact."""
    return np.random.default_rng(seed).integers(-8, 9, shape).astype(dtype)


def assert_same_meaning(
    before: PrimFunc, after: PrimFunc, arrays: Sequence[np.ndarray], written: int = 1, *, races: bool = False
) -> None:
    """Both functions write the same values."""
    old, new = outputs(before, arrays, written), outputs(after, arrays, written, races=races)
    for x, y in zip(old, new, strict=True):
        np.testing.assert_array_equal(x, y)
