"""A product of 16-bit matrices that is tensorized for tensor cores, in small tiles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any  # Any: arrays of any element type

import numpy as np

from gpucomp import te
from gpucomp.te import mma
from gpucomp.tir.expr import Expr, Var


@dataclass(frozen=True)
class Product:
    """What is multiplied, and how.

    Attributes:
        m, n, k: extents.
        dtype, total: of the operands and of the sums.
        turn_a, turn_b: operands stored (K, M), (N, K).
        swizzled: rows of shared memory are permuted.
        stored: by the intrinsic; else by a stage that computes with the sums.
        crossed: that stage has its loops the other way round, so that threads need what others hold.
    """

    m: int = 64
    n: int = 64
    k: int = 64
    dtype: str = "float16"
    total: str = "float32"
    turn_a: bool = False
    turn_b: bool = False
    swizzled: bool = True
    stored: bool = True
    crossed: bool = False

    def arrays(self) -> tuple[Any, Any, Any]:
        """Both operands as they are stored, and the result: whole numbers, which every order of sums adds up right."""
        rng = np.random.default_rng(0)
        kind = np.dtype(te.placeholder((1,), self.dtype).dtype.numpy)
        a, b = [rng.integers(-2, 3, shape).astype(kind) for shape in ((self.m, self.k), (self.k, self.n))]
        want = a.astype(np.float64) @ b.astype(np.float64)
        want = want if self.stored else np.maximum(want + 1.0, 0.0)
        stored = [np.ascontiguousarray(x.T) if turn else x for x, turn in ((a, self.turn_a), (b, self.turn_b))]
        return stored[0], stored[1], want

    def schedule(self, *, rows: int = 32, columns: int = 32, lanes: int = 32) -> tuple[te.Schedule, list[te.Tensor]]:
        """Blocks of four warps, each of which computes ``rows / 2`` x ``columns / 2``; slabs of 32, in three stages."""
        a = te.placeholder((self.k, self.m) if self.turn_a else (self.m, self.k), self.dtype, "A")
        b = te.placeholder((self.n, self.k) if self.turn_b else (self.k, self.n), self.dtype, "B")
        k = te.reduce_axis((0, self.k), "k")

        def element(i: Var, j: Var) -> Expr:
            x, y = a[(k, i) if self.turn_a else (i, k)], b[(j, k) if self.turn_b else (k, j)]
            return te.sum(x.astype(self.total) * y.astype(self.total), axis=k)

        c = te.compute((self.m, self.n), element, name="C")
        if self.stored:
            s = te.create_schedule(c.op)
            sums, out = s.cache_write(c, "mma.frag.c"), c
        else:
            out = te.compute(c.shape, lambda i, j: te.max(c[i, j] + 1.0, 0.0), name="D")
            s = te.create_schedule(out.op)
            s[c].set_scope("mma.frag.c")
            sums = c
        shared = [s.cache_read(x, "shared", [sums]) for x in (a, b)]
        held = [s.cache_read(x, f"mma.frag.{name}", [sums]) for x, name in zip(shared, "ab", strict=True)]
        tx, ty, tz = [te.thread_axis(f"threadIdx.{dim}") for dim in "xyz"]

        stage = s[out]
        i, j = stage.op.axis
        block_i, block_j, i, j = stage.tile(i, j, rows, columns)
        warp_i, warp_j, i, j = stage.tile(i, j, rows // 2, columns // 2)
        for axis, thread in ((block_i, "blockIdx.y"), (block_j, "blockIdx.x")):
            stage.bind(axis, te.thread_axis(thread))
        stage.bind(warp_i, tz)
        stage.bind(warp_j, ty)
        if self.stored:
            _, _, i, j = stage.tile(i, j, 16, 16)
            stage.tensorize(i, mma.mma_store(self.total))
        else:
            lane, _, pair = mma.own_elements(stage, *((j, i) if self.crossed else (i, j)))
            stage.bind(lane, tx)
            stage.vectorize(pair)

        inner = s[sums]
        inner.compute_at(stage, warp_j)
        slabs, steps = inner.split(k, factor=32)
        steps, kk = inner.split(steps, factor=16)
        i, j = sums.op.axis
        tile_i, tile_j, i, j = inner.tile(i, j, 16, 16)
        inner.reorder(slabs, steps, tile_i, tile_j, i, j, kk)
        for axis in (steps, tile_i, tile_j):
            inner.unroll(axis)
        inner.tensorize(i, mma.mma_m16n8k16(self.dtype, self.total, transpose_a=self.turn_a, transpose_b=self.turn_b))
        inner.pragma(slabs, "software_pipeline", 3)
        inner.pragma(steps, "software_pipeline", 2)
        loads = [
            mma.ldmatrix_a(self.dtype, transposed=self.turn_a),
            mma.ldmatrix_b(self.dtype, transposed=self.turn_b),
        ]
        for memory, registers, load in zip(shared, held, loads, strict=True):
            copy = s[memory]
            copy.compute_at(inner, slabs)
            rest, vector = copy.split(copy.fuse(*memory.op.axis), factor=8)
            for thread, count in ((tx, lanes), (ty, 2), (tz, 2)):
                rest, axis = copy.split(rest, factor=count)
                copy.bind(axis, thread)
            copy.vectorize(vector)
            if self.swizzled:
                copy.storage_swizzle(memory.op.axis[0], 8)
            fill = s[registers]
            fill.compute_at(inner, steps)
            i, j = registers.op.axis
            _, _, i, _ = fill.tile(i, j, 16, 16)
            fill.tensorize(i, load)
        return s, [a, b, out]
