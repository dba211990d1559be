"""Definitions of operators that treat each element by itself."""

from __future__ import annotations

from collections.abc import Sequence

from gpucomp import te
from gpucomp.kernels.registry import Definition, Extent
from gpucomp.tir.expr import Var


def add(shape: Sequence[Extent], dtype: str) -> Definition:
    """``C[i] = A[i] + B[i]`` for shape (N,)."""
    (n,) = shape
    a, b = te.placeholder((n,), dtype, "A"), te.placeholder((n,), dtype, "B")

    def element(i: Var) -> object:
        return a[i] + b[i]

    return Definition((a, b), (te.compute((n,), element, name="C"),))
