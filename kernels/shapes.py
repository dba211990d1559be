"""Extents of tensors, for schedules that choose tiles by size."""

from __future__ import annotations

from gpucomp.tir.expr import Expr, IntImm


def extent(size: Expr | int) -> int | None:
    """The number, or None for a symbolic extent."""
    if isinstance(size, int):
        return size
    return size.value if isinstance(size, IntImm) else None
