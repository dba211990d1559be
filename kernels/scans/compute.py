"""Definitions of scans over the rows of a matrix of shape (M, N), in three levels (Sengupta et al. 2007).

A row is cut into runs of some elements, and those into groups of ``RUNS`` runs.  What lies before an element is the
sum of the groups before its own, of the runs before its own in its group, and of the elements before it in its run:
sums of a few terms but for the groups, all of which can be computed side by side.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from gpucomp import te
from gpucomp.kernels.registry import Definition, Extent, sum_dtype
from gpucomp.support.dtype import DType
from gpucomp.target import Target
from gpucomp.tir import operators
from gpucomp.tir.expr import Expr, Var

RUNS: Final = 16  # of a group
RUN: Final = 16  # elements of a run
RUN_BYTES: Final = 16  # of a run on a GPU: a vector
LONG_ROW: Final = 1 << 16


def cumulative_sum(shape: Sequence[Extent], dtype: str, run: int = RUN) -> Definition:
    """``B[i, j] = A[i, 0] + ... + A[i, j]``; 16-bit inputs are summed in float32.

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
    k = te.reduce_axis((0, run), "k")
    runs = te.compute((m, groups, RUNS), lambda i, g, q: te.sum(x[i, g, q, k.var], axis=k), name="runs")
    h = te.reduce_axis((0, RUNS), "h")
    whole = te.compute((m, groups), lambda i, g: te.sum(runs[i, g, h.var], axis=h), name="groups")
    e = te.reduce_axis((0, groups), "e")
    earlier = te.compute((m, groups), lambda i, g: te.sum(whole[i, e.var], axis=e, where=e.var < g), name="earlier")
    r = te.reduce_axis((0, RUNS), "r")
    inside = te.compute(
        (m, groups, RUNS), lambda i, g, q: te.sum(runs[i, g, r.var], axis=r, where=r.var < q), name="inside"
    )
    w = te.reduce_axis((0, run), "w")
    within = te.compute(
        (m, groups, RUNS, run),
        lambda i, g, q, v: te.sum(x[i, g, q, w.var], axis=w, where=w.var <= v),
        name="within",
    )

    def result(i: Var, j: Var) -> Expr:
        g, q, v = j // group, j // run % RUNS, j % run
        return (earlier[i, g] + inside[i, g, q] + within[i, g, q, v]).astype(dtype)

    out = te.compute((m, n), result, name="B")
    return Definition((a,), (out,), (x, runs, whole, earlier, inside, within))


def for_gpus(shape: Sequence[Extent], dtype: str, target: Target) -> Definition | None:
    """On GPUs a run has as many bytes for every type: what the lanes of a warp load at a time are whole lines.

    The sums of the runs of very long rows would not fit shared memory.
    """
    n = shape[1]
    if not target.is_gpu or not isinstance(n, int) or n > LONG_ROW:
        return None
    return cumulative_sum(shape, dtype, RUN_BYTES // DType(dtype).nbytes)
