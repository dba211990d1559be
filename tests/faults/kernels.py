"""Small kernels on which planted faults show: each depends on the decision that its fault gets wrong."""

from __future__ import annotations

from gpucomp import te, tir
from gpucomp.target import Target
from tests.golden.cases import CASES, Made, block, thread


def golden(name: str) -> Made:
    """A golden kernel, scheduled for CUDA."""
    return CASES[name].make(Target("cuda -arch=sm_90"))


def uneven() -> Made:
    """37 elements by threads of blocks of 16: the last block is not full."""
    a = te.placeholder((37,), name="A")
    b = te.compute((37,), lambda i: a[i] * 2.0, name="B")
    s = te.create_schedule(b.op)
    outer, inner = s[b].split(b.op.axis[0], factor=16)
    s[b].bind(outer, block())
    s[b].bind(inner, thread())
    return s, [a, b]


def uneven_sum() -> Made:
    """A sum over 10 elements in steps of 4: the last step is not full."""
    a = te.placeholder((8, 10), name="A")
    k = te.reduce_axis((0, 10), "k")
    b = te.compute((8,), lambda i: te.sum(a[i, k] + 1.0, axis=k), name="B")
    s = te.create_schedule(b.op)
    s[b].split(b.op.reduce_axis[0], factor=4)
    s[b].bind(b.op.axis[0], thread())
    return s, [a, b]


def tiles(*, vthreads: int = 1, align: bool = False) -> Made:
    """A matrix product: shared tiles in a loop, an accumulator for each thread."""
    a, b = te.placeholder((8, 12), name="A"), te.placeholder((12, 8), name="B")
    k = te.reduce_axis((0, 12), "k")
    c = te.compute((8, 8), lambda i, j: te.sum(a[i, k] * b[k, j], axis=k), name="C")
    s = te.create_schedule(c.op)
    shared = [s.cache_read(t, "shared", [c]) for t in (a, b)]
    acc = s.cache_write(c, "local")
    i, j = c.op.axis
    if vthreads > 1:
        vx, i = s[c].split(i, nparts=vthreads)
        s[c].bind(vx, te.thread_axis("vthread", name="vx"))
    ty, i = s[c].split(i, nparts=2)
    tx, j = s[c].split(j, nparts=4)
    s[c].reorder(ty, tx, i, j)
    s[c].bind(ty, thread("y"))
    s[c].bind(tx, thread("x"))
    s[acc].compute_at(s[c], tx)
    ko, _ = s[acc].split(acc.op.reduce_axis[0], factor=4)
    s[acc].reorder(ko, *acc.op.axis)
    for tile in shared:
        s[tile].compute_at(s[acc], ko)
        rows, columns = s[tile].split(tile.op.axis[0], nparts=2)[0], s[tile].split(tile.op.axis[1], nparts=4)[0]
        s[tile].bind(rows, thread("y"))
        s[tile].bind(columns, thread("x"))
        if align:
            s[tile].storage_align(tile.op.axis[0], 8, 1)
    return s, [a, b, c]


def wide_sum(threads: int = 128) -> Made:
    """Rows of 200 elements, summed by several warps."""
    a = te.placeholder((3, 200), name="A")
    k = te.reduce_axis((0, 200), "k")
    b = te.compute((3,), lambda i: te.sum(a[i, k], axis=k), name="B")
    s = te.create_schedule(b.op)
    _, inner = s[b].split(b.op.reduce_axis[0], factor=threads)
    s[b].bind(b.op.axis[0], block())
    s[b].bind(inner, thread())
    return s, [a, b]


def two_tiles() -> Made:
    """Two intermediate results of one thread that are needed at the same time."""
    n = 256  # short arrays never share memory
    a = te.placeholder((3, n), name="A")
    p = te.compute((3, n), lambda i, j: a[i, j] * 2.0, name="P")
    q = te.compute((3, n), lambda i, j: a[i, n - 1 - j] + 5.0, name="Q")
    b = te.compute((3, n), lambda i, j: p[i, n - 1 - j] - q[i, j] * p[i, j], name="B")
    s = te.create_schedule(b.op)
    s[b].bind(b.op.axis[0], thread())
    for t in (p, q):
        s[t].compute_at(s[b], b.op.axis[0])
        s[t].set_scope("local")
    return s, [a, b]


def strided_lanes() -> Made:
    """Lanes that read every other element, and store side by side."""
    a = te.placeholder((64,), name="A")
    b = te.compute((32,), lambda i: a[i * 2] + a[i], name="B")
    s = te.create_schedule(b.op)
    outer, inner = s[b].split(b.op.axis[0], factor=4)
    s[b].bind(outer, thread())
    s[b].vectorize(inner)
    return s, [a, b]


def not_square() -> Made:
    """An intermediate matrix with more columns than rows, in shared memory."""
    a = te.placeholder((3, 8), name="A")
    p = te.compute((3, 8), lambda i, j: a[i, j] + 1.0, name="P")
    b = te.compute((8, 3), lambda i, j: p[j, i] * 2.0, name="B")
    s = te.create_schedule(b.op)
    one, _ = s[b].split(b.op.axis[0], nparts=1)
    s[b].bind(one, block())
    s[b].bind(s[b].leaf_iter_vars[1], thread())
    s[p].compute_at(s[b], one)
    s[p].set_scope("shared")
    s[p].bind(p.op.axis[1], thread())
    return s, [a, b]


def swapped_inline() -> Made:
    """An inlined stage whose two indices must not be confused."""
    a = te.placeholder((6, 6), name="A")
    p = te.compute((6, 6), lambda i, j: a[i, j] - a[j, i] * 2.0, name="P")
    b = te.compute((6, 6), lambda i, j: p[i, j] + 1.0, name="B")
    s = te.create_schedule(b.op)
    s[p].compute_inline()
    s[b].bind(b.op.axis[0], thread())
    return s, [a, b]


def running_sum() -> Made:
    """Integers summed in memory of a thread: each step reads what the step before wrote."""
    a = te.placeholder((8, 6), "int32", "A")
    k = te.reduce_axis((0, 6), "k")
    b = te.compute((8,), lambda i: te.sum(a[i, k], axis=k), name="B")
    s = te.create_schedule(b.op)
    acc = s.cache_write(b, "local")
    s[b].bind(b.op.axis[0], thread())
    s[acc].compute_at(s[b], b.op.axis[0])
    return s, [a, b]


def running_best() -> Made:
    """A maximum kept in the output, which each step reads twice before it writes it."""
    best = te.comm_reducer(lambda x, y: tir.Select(x > y, x, y), lambda dtype: tir.min_value(dtype), name="best")
    a = te.placeholder((8, 6), name="A")
    k = te.reduce_axis((0, 6), "k")
    b = te.compute((8,), lambda i: best(a[i, k], axis=k), name="B")
    s = te.create_schedule(b.op)
    s[b].bind(b.op.axis[0], thread())
    return s, [a, b]


def filled_by_one_thread() -> Made:
    """A tile in shared memory that the first thread fills for all."""
    a = te.placeholder((18,), name="A")
    b = te.compute((16,), lambda i: a[i] + a[i + 2], name="B")
    s = te.create_schedule(b.op)
    shared = s.cache_read(a, "shared", [b])
    outer, inner = s[b].split(b.op.axis[0], factor=8)
    s[b].bind(outer, block())
    s[b].bind(inner, thread())
    s[shared].compute_at(s[b], outer)
    return s, [a, b]


def unrolled_sum() -> Made:
    """A sum that is written out term by term."""
    a = te.placeholder((16, 8), name="A")
    k = te.reduce_axis((0, 8), "k")
    b = te.compute((16,), lambda i: te.sum(a[i, k], axis=k), name="B")
    s = te.create_schedule(b.op)
    s[b].bind(b.op.axis[0], thread())
    s[b].pragma(b.op.axis[0], "unroll_explicit", True)
    s[b].unroll(b.op.reduce_axis[0])
    return s, [a, b]


def negative_quotients() -> Made:
    """Quotients and remainders of numbers on both sides of zero."""
    a = te.placeholder((16,), "int32", "A")
    b = te.compute((16,), lambda i: (a[i] - 5) // 3 * 100 + (i - 7) % 3, name="B")
    s = te.create_schedule(b.op)
    s[b].bind(b.op.axis[0], thread())
    return s, [a, b]
