"""Definitions of operators that only move elements."""

from __future__ import annotations

from collections.abc import Sequence

from gpucomp import te
from gpucomp.kernels.registry import Definition, Extent


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
