"""Vector accesses of flat buffers: where they start, and how they are aligned."""

from __future__ import annotations

import math
from typing import Final

from gpucomp.arith.analyzer import Analyzer
from gpucomp.support.dtype import DType
from gpucomp.tir import expr as e
from gpucomp.tir import operators
from gpucomp.tir.buffer import Buffer
from gpucomp.tir.expr import Expr, IntImm

# No more is promised of an address: wider vectors are accessed as unaligned ones, or in pieces.
ALIGNED_BYTES: Final = 16


def vector_bytes(dtype: DType) -> int:
    """Bytes of a vector (or scalar) in memory; a bool takes one byte."""
    return max(8, dtype.bits) * dtype.lanes // 8


def as_ramp(index: Expr) -> tuple[Expr, Expr] | None:
    """Base and stride of a vector of indices whose lanes step evenly; None for others."""
    if isinstance(index, e.Ramp):
        return index.base, index.stride
    if isinstance(index, e.Broadcast):
        return index.value, operators.const(0, index.value.dtype)
    if not isinstance(index, (e.Add, e.Sub, e.Mul)):
        return None
    a, b = as_ramp(index.a), as_ramp(index.b)
    if a is None or b is None:
        return None
    if isinstance(index, e.Add):
        return operators.add(a[0], b[0]), operators.add(a[1], b[1])
    if isinstance(index, e.Sub):
        return operators.subtract(a[0], b[0]), operators.subtract(a[1], b[1])
    if not _is_zero(b[1]):
        a, b = b, a
    return (operators.multiply(a[0], b[0]), operators.multiply(a[1], b[0])) if _is_zero(b[1]) else None


def _is_zero(node: Expr) -> bool:
    return isinstance(node, IntImm) and node.value == 0


def first_element(buffer: Buffer, indices: tuple[Expr, ...]) -> Expr | None:
    """Index of the first element of a vector of consecutive elements; None for any other access."""
    if len(indices) != 1:
        return None
    index, inner = indices[0], buffer.dtype.lanes
    if index.dtype.lanes == 1:
        return None if inner == 1 else operators.multiply(index, inner)
    ramp = as_ramp(index)
    if ramp is None or inner > 1 or not (isinstance(ramp[1], IntImm) and ramp[1].value == 1):
        return None
    return ramp[0]


def is_aligned(base: Expr, dtype: DType, alignment: int, analyzer: Analyzer) -> bool:
    """True when a vector of type ``dtype`` at element ``base`` lies at a multiple of its width.

    ``alignment`` is that of the buffer's first element in bytes.
    """
    width = vector_bytes(dtype)
    if width > ALIGNED_BYTES or width & (width - 1) or alignment % width:
        return False
    found = analyzer.modular_set(base)
    return math.gcd(found.coeff, found.base) * (width // dtype.lanes) % width == 0
