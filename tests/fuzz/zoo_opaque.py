"""Workloads with operations that are no ``te.compute``, and graphs that are derived from others."""

from __future__ import annotations

import random
from typing import Any  # Any: buffers and expressions of the builder

import numpy as np

from gpucomp import te, tir
from gpucomp.tir import Stmt
from tests.fuzz.problem import Array, Problem, maybe_symbolic, size, workload


@workload
def matmul_gradient(rng: random.Random) -> Problem:
    """Adjoints of both operands of a product."""
    m, n, k = size(rng, 1, 9), size(rng, 1, 9), size(rng, 1, 9)
    a, b, head = te.placeholder((m, k), name="A"), te.placeholder((k, n), name="B"), te.placeholder((m, n), name="H")
    r = te.reduce_axis((0, k), "k")
    c = te.compute((m, n), lambda i, j: te.sum(a[i, r] * b[r, j], axis=r), name="C")
    da, db = te.gradient(c, [a, b], head)
    return Problem([a, b, head, da, db], lambda x, y, h: (h @ y.T, x.T @ h))


@workload
def conv_gradient(rng: random.Random) -> Problem:
    """Adjoints of a strided convolution along one dimension, of what it reads and of its weights."""
    n, k, stride = size(rng, 2, 9), rng.randint(1, 3), rng.choice([1, 2])
    x, w, head = (
        te.placeholder((n * stride + k,), name="X"),
        te.placeholder((k,), name="W"),
        te.placeholder((n,), name="H"),
    )
    r = te.reduce_axis((0, k), "r")
    y = te.compute((n,), lambda i: te.sum(x[i * stride + r] * w[r], axis=r), name="Y")
    dx, dw = te.gradient(y, [x, w], head)

    def meaning(u: Array, v: Array, h: Array) -> tuple[Array, Array]:
        du, dv = np.zeros_like(u), np.zeros_like(v)
        for i in range(n):
            du[i * stride : i * stride + k] += h[i] * v
            dv += h[i] * u[i * stride : i * stride + k]
        return du, dv

    return Problem([x, w, head, dx, dw], meaning)


def _prefix_sums(ins: Any, outs: Any) -> Stmt:
    """``outs[0][i, j] = ins[0][i, 0] + ... + ins[0][i, j]``."""
    ib = tir.ir_builder.create()
    a, b = ib.buffer_ptr(ins[0]), ib.buffer_ptr(outs[0])
    rows, columns = ins[0].shape
    with ib.for_range(0, rows, "i", kind="parallel") as i:
        total = ib.allocate("float32", (1,), "total", scope="local")
        total[0] = 0.0
        with ib.for_range(0, columns, "j") as j:
            total[0] = total[0] + a[i, j]
            b[i, j] = total[0]
    return ib.get()


@workload(on="cpu")
def loops_by_hand(rng: random.Random) -> Problem:
    """A body of statements between stages."""
    extents: dict[str, int] = {}
    n, m = maybe_symbolic(rng, "n", size(rng, 1, 12), extents), size(rng, 1, 12)
    a = te.placeholder((n, m), name="A")
    b = te.compute((n, m), lambda i, j: a[i, j] * 2.0 - 1.0, name="B")
    c = te.extern((n, m), [b], _prefix_sums, name="C")
    d = te.compute((n, m), lambda i, j: c[i, m - 1 - j] + a[i, j], name="D")
    return Problem([a, d], lambda x: np.cumsum(2 * x - 1, axis=1)[:, ::-1] + x, extents)


def _row_sums_on_threads(ins: Any, outs: Any) -> Stmt:
    """``outs[0][i]`` is the sum of a row: four threads add up quarters in shared memory, the first adds those."""
    ib = tir.ir_builder.create()
    a, sums = ib.buffer_ptr(ins[0]), ib.buffer_ptr(outs[0])
    rows, columns = ins[0].shape
    bx, tx = te.thread_axis("blockIdx.x"), te.thread_axis("threadIdx.x")
    ib.scope_attr(bx, "thread_extent", rows)
    ib.scope_attr(tx, "thread_extent", 4)
    part = ib.allocate("float32", (4,), "part", scope="shared")
    part[tx] = 0.0
    with ib.for_range(0, (columns + 3) // 4, "k") as k:
        j = ib.let("j", k * 4 + tx)
        with ib.if_scope(j < columns):
            part[tx] = part[tx] + a[bx, j]
    ib.emit(tir.call_intrin("int32", "tir.barrier", "shared"))
    with ib.if_scope(tx == 0):
        sums[bx] = part[0] + part[1] + part[2] + part[3]
    return ib.get()


@workload(on="gpu")
def threads_by_hand(rng: random.Random) -> Problem:
    """A kernel written by hand between stages that are scheduled."""
    n, m = size(rng, 1, 10), size(rng, 1, 20)
    a = te.placeholder((n, m), name="A")
    b = te.compute((n, m), lambda i, j: a[i, j] * 3.0, name="B")
    c = te.extern((n,), [b], _row_sums_on_threads, name="C", dtype="float32")
    d = te.compute((n, m), lambda i, j: b[i, j] - c[i], name="D")
    return Problem([a, d], lambda x: 3 * x - 3 * x.sum(1, keepdims=True))
