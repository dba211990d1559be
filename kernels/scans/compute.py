"""Definitions of scans over the rows of a matrix of shape (M, N), in three levels (Sengupta et al. 2007).

A row is cut into runs of ``RUN`` elements, and ``RUN`` runs into groups.  What lies before an element is the sum of
the groups before its own, of the runs before its own in its group, and of the elements before it in its run: sums of
at most ``RUN`` terms but for the groups, all of which can be computed side by side.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from gpucomp import te
from gpucomp.kernels.registry import Definition, Extent, sum_dtype
from gpucomp.tir import operators
from gpucomp.tir.expr import Expr, Var

RUN: Final = 16


def cumulative_sum(shape: Sequence[Extent], dtype: str) -> Definition:
    """``B[i, j] = A[i, 0] + ... + A[i, j]``; 16-bit inputs are summed in float32.

    Intermediates: elements of runs (M, G, RUN, RUN), sums of runs, sums of groups, sums of the groups before each,
    sums before each run, sums within each run.
    """
    m, n = shape
    wide = sum_dtype(dtype)
    a = te.placeholder((m, n), dtype, "A")
    groups = (
        (n + RUN * RUN - 1) // (RUN * RUN) if isinstance(n, int) else operators.floordiv(n + RUN * RUN - 1, RUN * RUN)
    )

    def element(i: Var, g: Var, q: Var, v: Var) -> Expr:
        j = (g * RUN + q) * RUN + v
        return te.if_then_else(j < n, a[i, j].astype(wide), te.const(0, wide))

    x = te.compute((m, groups, RUN, RUN), element, name="X")
    k = te.reduce_axis((0, RUN), "k")
    runs = te.compute((m, groups, RUN), lambda i, g, q: te.sum(x[i, g, q, k.var], axis=k), name="runs")
    h = te.reduce_axis((0, RUN), "h")
    whole = te.compute((m, groups), lambda i, g: te.sum(runs[i, g, h.var], axis=h), name="groups")
    e = te.reduce_axis((0, groups), "e")
    earlier = te.compute((m, groups), lambda i, g: te.sum(whole[i, e.var], axis=e, where=e.var < g), name="earlier")
    r = te.reduce_axis((0, RUN), "r")
    inside = te.compute(
        (m, groups, RUN), lambda i, g, q: te.sum(runs[i, g, r.var], axis=r, where=r.var < q), name="inside"
    )
    w = te.reduce_axis((0, RUN), "w")
    within = te.compute(
        (m, groups, RUN, RUN),
        lambda i, g, q, v: te.sum(x[i, g, q, w.var], axis=w, where=w.var <= v),
        name="within",
    )

    def result(i: Var, j: Var) -> Expr:
        g, q, v = j // (RUN * RUN), j // RUN % RUN, j % RUN
        return (earlier[i, g] + inside[i, g, q] + within[i, g, q, v]).astype(dtype)

    out = te.compute((m, n), result, name="B")
    return Definition((a,), (out,), (x, runs, whole, earlier, inside, within))
