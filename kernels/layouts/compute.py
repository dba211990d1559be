"""Definitions of operators that only move elements."""

from __future__ import annotations

import math
from collections.abc import Sequence

from gpucomp import te, tir
from gpucomp.kernels.registry import Definition, Extent
from gpucomp.tir.expr import ExprLike, Var


def transpose(shape: Sequence[Extent], dtype: str) -> Definition:
    """``B[j, i] = A[i, j]`` for A of shape (M, N)."""
    m, n = shape
    a = te.placeholder((m, n), dtype, "A")
    return Definition((a,), (te.compute((n, m), lambda i, j: a[j, i], name="B"),))


def permute(shape: Sequence[Extent], dtype: str) -> Definition:
    """``B[b, j, i] = A[b, i, j]`` for A of shape (B, M, N): the last two axes change places."""
    b, m, n = shape
    a = te.placeholder((b, m, n), dtype, "A")
    return Definition((a,), (te.compute((b, n, m), lambda x, i, j: a[x, j, i], name="B"),))


def in_vectors(shape: Sequence[int], dtype: str, lanes: int, height: int) -> Definition:
    """The last two axes change places, by way of the input's vectors.

    ``V[b, x, y, v, l]`` is what memory holds in lane ``l`` of vector ``v`` of row ``x * height + y``: vectors are
    counted from the last multiple of ``lanes`` elements at or before the start of the row, so that each is one aligned
    load, and what lies beside the row is moved along, whatever it is.  Elements are picked out of V.

    Args:
        shape: (..., M, N), of one leading axis at most.
        dtype: element type.
        lanes: elements of a vector.
        height: rows of a panel; a schedule may keep panels apart in memory.
    """
    a = te.placeholder(tuple(shape), dtype, "A")
    vectors, out = turn_in_vectors(a, shape, lanes, height, ("V", "B"))
    return Definition((a,), (out,), (vectors,))


def turn_in_vectors(
    a: te.Tensor, shape: Sequence[int], lanes: int, height: int, names: tuple[str, str], padded: int = 0
) -> tuple[te.Tensor, te.Tensor]:
    """The vectors of :func:`in_vectors` and the result, with these names, for any tensor of that shape.

    Rows of the result are ``padded`` long, with zeros past their end, where that is more than there is of them.
    """
    *batch, m, n = shape
    dtype = str(a.dtype)

    def before(row: Sequence[ExprLike]) -> ExprLike:
        """Elements of the first vector that lie before the row."""
        if n % lanes == 0:
            return 0
        start: ExprLike = row[-1] * n
        return (row[0] * (m * n) + start if batch else start) % lanes

    def lane(*at: Var) -> ExprLike:
        *outer, x, y, v, lane = at
        row = (*outer, x * height + y)
        place = v * lanes + lane - before(row)
        checks = [place >= 0, place < n] if n % lanes else []
        checks += [row[-1] < m] if m % height else []
        return te.if_then_else(tir.all(*checks), a[(*row, place)], tir.undef(dtype)) if checks else a[(*row, place)]

    most_before = lanes - math.gcd(n, lanes)
    panels = ((m + height - 1) // height, height, (n + most_before + lanes - 1) // lanes, lanes)
    vectors = te.compute((*batch, *panels), lane, name=names[0])

    def element(*at: Var) -> ExprLike:
        *outer, i, j = at
        place = i % lanes + before((*outer, j))
        value = vectors[(*outer, j // height, j % height, i // lanes + place // lanes, place % lanes)]
        return te.if_then_else(j < m, value, tir.const(0, dtype)) if padded > m else value

    return vectors, te.compute((*batch, n, max(m, padded)), element, name=names[1])
