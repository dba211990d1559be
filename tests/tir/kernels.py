"""A tiled matmul written by hand in buffer form, with places where faults can be planted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any  # Any: arrays of several element types; ints or expressions

import numpy as np

from gpucomp.support.dtype import BOOL
from gpucomp.tir import intrin
from gpucomp.tir.buffer import Buffer, decl_buffer
from gpucomp.tir.expr import Expr, FloatImm, IntImm, Range, Var
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.stmt import BufferRealize, Evaluate, Stmt, seq
from tests.transform.build import func, loop, nest, store, thread

Array = np.ndarray[Any, Any]
STEP = 8


def realize(buffer: Buffer, bounds: Sequence[tuple[Any, Any]], body: Stmt) -> Stmt:
    """``body`` with a box (min, extent) of a buffer alive."""
    box = tuple([Range.from_min_extent(low, extent) for low, extent in bounds])
    return BufferRealize(buffer, box, IntImm(BOOL, 1), body)


def barrier() -> Stmt:
    """A barrier of the block."""
    return Evaluate(intrin.barrier("shared"))


def matmul_inputs(n: int) -> tuple[Array, Array, Array]:
    """Small integers, whose products are exact, and an output of zeros."""
    rng = np.random.default_rng(n)
    a, b = (rng.integers(-4, 5, (n, n)).astype(np.float32) for _ in range(2))
    return a, b, np.zeros((n, n), np.float32)


def matmul(
    n: int,
    tile: int = 64,
    threads: int = 16,
    *,
    barriers: tuple[bool, bool] = (True, True),
    init: bool = True,
    shared_rows: int | None = None,
    swap: bool = False,
    fill: Callable[[Expr], Expr] = lambda e: e,
) -> PrimFunc:
    """C = A @ B with a block per tile, ``threads`` by ``threads`` threads, and both operands staged in shared memory.

    Faults: leave out the barrier before or after the fill, the initial value of the sum; give the shared tiles too
    few rows; swap the indices of a shared tile; change the element that a thread fills.
    """
    per = tile // threads
    a, b, c = (decl_buffer((n, n), "float32", x) for x in "ABC")
    sa = decl_buffer((n, n), "float32", "A.shared", scope="shared")
    sb = decl_buffer((n, n), "float32", "B.shared", scope="shared")
    acc = decl_buffer((per, per), "float32", "C.local", scope="local")
    bx, by, tx, ty = Var("bx"), Var("by"), Var("tx"), Var("ty")
    ko, k, i, j, f = Var("ko"), Var("k"), Var("i"), Var("j"), Var("f")
    share = tile * STEP // (threads * threads)
    e = fill((ty * threads + tx) * share + f)
    row, col = by * tile + e // STEP, ko * STEP + e % STEP
    row_b, col_b = ko * STEP + e // tile, bx * tile + e % tile
    load = loop(f, share, seq(store(sa, (row, col), a[row, col]), store(sb, (row_b, col_b), b[row_b, col_b])))
    y, x = by * tile + ty * per + i, bx * tile + tx * per + j
    kk = ko * STEP + k
    left = sa[kk, y] if swap else sa[y, kk]
    update = nest([(k, STEP), (i, per), (j, per)], store(acc, (i, j), acc[i, j] + left * sb[kk, x]))
    inner = seq(*([barrier()] if barriers[0] else []), load, *([barrier()] if barriers[1] else []), update)
    rows = tile if shared_rows is None else shared_rows
    inner = realize(sa, [(by * tile, rows), (ko * STEP, STEP)], inner)
    inner = realize(sb, [(ko * STEP, STEP), (bx * tile, tile)], inner)
    zero = nest([(i, per), (j, per)], store(acc, (i, j), FloatImm("float32", 0.0)))
    write = nest([(i, per), (j, per)], store(c, (y, x), acc[i, j]))
    body = seq(*([zero] if init else []), loop(ko, n // STEP, inner), write)
    body = realize(acc, [(0, per), (0, per)], body)
    axes = [("threadIdx.x", tx, threads), ("threadIdx.y", ty, threads)]
    axes += [("blockIdx.x", bx, n // tile), ("blockIdx.y", by, n // tile)]
    for tag, var, extent in axes:
        body = thread(tag, var, extent, body)
    return func([a, b, c], body)
