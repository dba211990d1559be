"""Definitions of scans over the rows of a matrix of shape (M, N), in three levels (Sengupta et al. 2007).

A row is cut into runs of some elements, and those into groups of ``RUNS`` runs.  What lies before an element is the
sum of the groups before its own, of the runs before its own in its group, and of the elements before it in its run:
sums of a few terms but for the groups, all of which can be computed side by side.

Long rows, and those of any length, are cut into chunks first, whose sums are computed before: what
one chunk needs of fast memory does not depend on the row, and the work grows with its length.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from gpucomp import te
from gpucomp.kernels.registry import Definition, Extent, sum_dtype
from gpucomp.support.dtype import DType
from gpucomp.target import Target
from gpucomp.te import Tensor
from gpucomp.tir import operators
from gpucomp.tir.expr import Expr, Var

RUNS: Final = 16  # of a group
RUN: Final = 16  # elements of a run
RUN_BYTES: Final = 16  # of a run on a GPU: a vector
LONG_ROW: Final = 1 << 16
HELD_ROW: Final = 1 << 14  # elements that the registers of a block hold; chunks read longer rows twice, and sooner
CHUNK_BYTES: Final = 8192  # of the sums of a chunk, which is made of whole groups of all kinds
MANY_CHUNKS: Final = 8192  # all that lie before one are added up: rows with more of them have larger ones
MOST_BYTES: Final = 32768
REDUCING_BYTES: Final = 4096  # of shared memory that threads may need to add up sums


def cumulative_sum(shape: Sequence[Extent], dtype: str, run: int = RUN) -> Definition:
    """``B[i, j] = A[i, 0] + ... + A[i, j]``; 16-bit inputs are summed in float32."""
    n = shape[1]
    if isinstance(n, int):
        return in_chunks(shape, dtype, run) if n > LONG_ROW else in_groups(shape, dtype, run)
    return in_chunks(shape, dtype, run)


def in_groups(shape: Sequence[Extent], dtype: str, run: int) -> Definition:
    """:func:`cumulative_sum` in three levels.

    Intermediates: elements of runs of ``run`` elements (M, G, RUNS, run), sums of runs, sums of groups, sums of the
    groups before each, sums before each run, sums within each run.
    """
    m, n = shape
    wide = sum_dtype(dtype)
    a = te.placeholder((m, n), dtype, "A")
    group = RUNS * run
    groups = (n + group - 1) // group if isinstance(n, int) else operators.floordiv(n + group - 1, group)

    def element(i: Var, g: Var, q: Var, v: Var) -> Expr:
        j = (g * RUNS + q) * run + v
        return te.if_then_else(j < n, a[i, j].astype(wide), te.const(0, wide))

    x = te.compute((m, groups, RUNS, run), element, name="X")
    sums = _levels(x)
    earlier, inside, within = sums[2:]

    def result(i: Var, j: Var) -> Expr:
        g, q, v = j // group, j // run % RUNS, j % run
        return (earlier[i, g] + inside[i, g, q] + within[i, g, q, v]).astype(dtype)

    out = te.compute((m, n), result, name="B")
    return Definition((a,), (out,), (x, *sums))


def in_chunks(shape: Sequence[Extent], dtype: str, run: int) -> Definition:
    """:func:`cumulative_sum` with chunks as a fourth level.

    Intermediates: elements of chunks (M, C, chunk), their sums (M, C), the sums before each (M, C); then those of
    :func:`in_groups`, of which each has the chunk as its second dimension and counts groups within it.
    """
    m, n = shape
    wide = sum_dtype(dtype)
    a = te.placeholder((m, n), dtype, "A")
    long = isinstance(n, int) and n > MANY_CHUNKS * CHUNK_BYTES // DType(wide).nbytes
    chunk = (MOST_BYTES if long else CHUNK_BYTES) // DType(wide).nbytes
    chunks = (n + chunk - 1) // chunk if isinstance(n, int) else operators.floordiv(n + chunk - 1, chunk)
    group = RUNS * run

    def at(i: Var, j: Expr) -> Expr:
        return te.if_then_else(j < n, a[i, j].astype(wide), te.const(0, wide))

    y = te.compute((m, chunks, chunk), lambda i, c, o: at(i, c * chunk + o), name="Y")
    k = te.reduce_axis((0, chunk), "k")
    parts = te.compute((m, chunks), lambda i, c: te.sum(y[i, c, k.var], axis=k), name="chunks")
    e = te.reduce_axis((0, chunks), "e")
    before = te.compute((m, chunks), lambda i, c: te.sum(parts[i, e.var], axis=e, where=e.var < c), name="before")
    x = te.compute(
        (m, chunks, chunk // group, RUNS, run),
        lambda i, c, g, q, v: at(i, c * chunk + (g * RUNS + q) * run + v),
        name="X",
    )
    sums = _levels(x)
    earlier, inside, within = sums[2:]

    def result(i: Var, j: Var) -> Expr:
        c, g, q, v = j // chunk, j % chunk // group, j // run % RUNS, j % run
        return (before[i, c] + earlier[i, c, g] + inside[i, c, g, q] + within[i, c, g, q, v]).astype(dtype)

    out = te.compute((m, n), result, name="B")
    return Definition((a,), (out,), (y, parts, before, x, *sums))


def _levels(x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Of elements (..., G, RUNS, run): sums of runs, of groups, of the groups before, before and within runs."""
    *outer, groups, _, run = x.shape
    k = te.reduce_axis((0, run), "k")
    runs = te.compute((*outer, groups, RUNS), lambda *at: te.sum(x[(*at, k.var)], axis=k), name="runs")
    h = te.reduce_axis((0, RUNS), "h")
    whole = te.compute((*outer, groups), lambda *at: te.sum(runs[(*at, h.var)], axis=h), name="groups")
    e = te.reduce_axis((0, groups), "e")
    earlier = te.compute(
        (*outer, groups), lambda *at: te.sum(whole[(*at[:-1], e.var)], axis=e, where=e.var < at[-1]), name="earlier"
    )
    r = te.reduce_axis((0, RUNS), "r")
    inside = te.compute(
        (*outer, groups, RUNS),
        lambda *at: te.sum(runs[(*at[:-1], r.var)], axis=r, where=r.var < at[-1]),
        name="inside",
    )
    w = te.reduce_axis((0, run), "w")
    within = te.compute(x.shape, lambda *at: te.sum(x[(*at[:-1], w.var)], axis=w, where=w.var <= at[-1]), name="within")
    return runs, whole, earlier, inside, within


def for_gpus(shape: Sequence[Extent], dtype: str, target: Target) -> Definition | None:
    """On GPUs a run has as many bytes for every type: what the lanes of a warp load at a time are whole lines.

    Rows that a block does not hold go in chunks.
    """
    if not target.is_gpu:
        return None
    n, run = shape[1], RUN_BYTES // DType(dtype).nbytes
    if not isinstance(n, int):
        return in_chunks(shape, dtype, run)
    run = run if n > run else 1  # of one run, threads would not know which elements are theirs
    values = -(-n // run) + 2 * -(-n // (RUNS * run))
    kept = (values + RUNS) * DType(sum_dtype(dtype)).nbytes + REDUCING_BYTES
    fits = n <= HELD_ROW and kept <= target.max_shared_memory_per_block
    return in_groups(shape, dtype, run) if fits else in_chunks(shape, dtype, run)
