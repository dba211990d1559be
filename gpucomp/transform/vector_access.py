"""Vector accesses of flat buffers: where they start, and how they are aligned."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final, TypeAlias

from gpucomp.arith.analyzer import Analyzer
from gpucomp.support.dtype import DType
from gpucomp.tir import expr as e
from gpucomp.tir import operators
from gpucomp.tir.buffer import Buffer
from gpucomp.tir.expr import Expr, IntImm, Var
from gpucomp.transform.walk import is_call

# No more is promised of an address: wider vectors are accessed as unaligned ones, or in pieces.
ALIGNED_BYTES: Final = 16
Values: TypeAlias = Mapping[Var, Expr]
_NO_VALUES: Final[Values] = {}


def vector_bytes(dtype: DType) -> int:
    """Bytes of a vector (or scalar) in memory; a bool takes one byte."""
    return max(8, dtype.bits) * dtype.lanes // 8


def as_ramp(index: Expr) -> tuple[Expr, Expr] | None:
    """Base and stride of a vector of indices whose lanes step evenly; None for others."""
    if isinstance(index, e.Ramp):
        return index.base, index.stride
    if isinstance(index, e.Broadcast):
        return index.value, operators.const(0, index.value.dtype)
    if is_call(index, "bitwise_xor"):  # places that are permuted
        assert isinstance(index, e.Call)
        x, y = [as_ramp(arg) for arg in index.args]
        if x is None or y is None or not (_is_zero(x[1]) and _is_zero(y[1])):
            return None
        return operators.bitwise("bitwise_xor", x[0], y[0]), x[1]
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


def is_aligned(
    base: Expr, dtype: DType, alignment: int, analyzer: Analyzer, values: Values = _NO_VALUES, most: int = 0
) -> bool:
    """True when a vector of type ``dtype`` at element ``base`` lies at a multiple of its width.

    Args:
        base: index of its first element.
        dtype: of the vector.
        alignment: that of the buffer's first element in bytes.
        analyzer: knows the variables.
        values: of variables that are bound by a let.
        most: bytes of the widest access that profits from it, if that is more than 16.
    """
    width = vector_bytes(dtype)
    if width > max(ALIGNED_BYTES, most) or width & (width - 1) or alignment % width:
        return False
    found = analyzer.modular_set(base)
    if math.gcd(found.coeff, found.base) * (width // dtype.lanes) % width == 0:
        return True
    return dtype.lanes > 1 and _is_multiple(base, dtype.lanes, analyzer, values)


def _is_multiple(node: Expr, lanes: int, analyzer: Analyzer, values: Values) -> bool:
    """True for a sum that is a multiple of ``lanes`` because a remainder takes away what a term adds."""
    terms: dict[Expr, int] = {}
    _add_terms(node, 1, lanes, values, terms)
    rest = 0
    for atom, factor in terms.items():
        if factor % lanes:
            known = analyzer.modular_set(atom)
            if factor * known.coeff % lanes:
                return False
            rest += factor * known.base
    return rest % lanes == 0


def _add_terms(node: Expr, factor: int, lanes: int, values: Values, terms: dict[Expr, int]) -> None:
    """Enter a sum, modulo ``lanes``: ``x % m`` counts as ``x`` where ``factor * m`` is a multiple of ``lanes``."""
    if factor % lanes == 0:
        return
    if isinstance(node, (e.Add, e.Sub)):
        _add_terms(node.a, factor, lanes, values, terms)
        _add_terms(node.b, factor if isinstance(node, e.Add) else -factor, lanes, values, terms)
    elif isinstance(node, e.Mul) and isinstance(node.b, IntImm):
        _add_terms(node.a, factor * node.b.value, lanes, values, terms)
    elif isinstance(node, e.FloorMod) and isinstance(node.b, IntImm) and factor * node.b.value % lanes == 0:
        _add_terms(node.a, factor, lanes, values, terms)
    elif isinstance(node, Var) and node in values:
        _add_terms(values[node], factor, lanes, values, terms)
    else:
        terms[node] = terms.get(node, 0) + factor
