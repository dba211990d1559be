"""Loads of vectors that lie askew: the aligned vectors in which the elements are, of which the wanted ones are taken.

Where rows start anywhere, what has one value a column is read a number of elements before aligned memory, the same
number for all threads of a block.  Element by element that is one load for each.  The two aligned vectors that hold the
elements are two loads, of half as many lines of the first cache; each of them has an element of its own, so no page
ends before it (``readable_granules``).  Kernels that read one such array only keep the loads of elements: arrays are
then not asked to be aligned, see ``kernel_usage``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from gpucomp.arith.analyzer import Analyzer
from gpucomp.support.dtype import DType
from gpucomp.tir import expr as e
from gpucomp.tir import operators
from gpucomp.tir.expr import Expr, IntImm, Var
from gpucomp.transform.vector_access import is_aligned

LANES: Final = 4
BITS: Final = 16


def askew(
    base: Expr, dtype: DType, alignment: int, analyzer: Analyzer, values: Mapping[Var, Expr]
) -> tuple[Expr, Expr] | None:
    """The aligned element near the first one, and how far from it the first one is; None where that is not so.

    The distance is made of remainders by the lanes of the vector, and of constants::

        row * 512 + thread * 4 - start % 4   ->   row * 512 + thread * 4, 0 - start % 4

    Args:
        base: index of the first element.
        dtype: of the vector.
        alignment: that of the array in bytes.
        analyzer: knows the variables.
        values: of variables that are bound by a let.
    """
    if dtype.lanes != LANES or not dtype.is_float or dtype.element.bits != BITS or alignment % (LANES * BITS // 8):
        return None
    zero = operators.const(0, base.dtype)
    whole, rest = zero, zero
    remainders = 0
    stack: list[tuple[Expr, bool]] = [(base, True)]
    while stack:
        node, plus = stack.pop()
        add = operators.add if plus else operators.subtract
        known = values.get(node, node) if isinstance(node, Var) else node
        if isinstance(node, (e.Add, e.Sub)):
            stack += [(node.b, plus is isinstance(node, e.Add)), (node.a, plus)]
        elif isinstance(known, e.FloorMod) and isinstance(known.b, IntImm) and known.b.value == LANES:
            rest = add(rest, node)
            remainders += 1
        elif isinstance(node, IntImm):
            rest = add(rest, node)
        elif is_aligned(node, dtype, alignment, analyzer, values):
            whole = add(whole, node)
        else:
            return None
    return (whole, rest) if remainders else None
