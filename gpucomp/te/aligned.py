"""Loops whose vectors start where memory is aligned, although rows do not.

A row of a row-major array starts at any element, so that vectors counted from its start are aligned in some rows only.
``Align`` counts from the last multiple of ``lanes`` elements at or before the start instead: position ``a`` of the new
loop is element ``a - start % lanes`` of the row, and positions outside of the row are skipped.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from gpucomp.te.affine import Forms, Interval
from gpucomp.te.relation import Align
from gpucomp.tir import operators
from gpucomp.tir.expr import GE, LT, And, Expr, IntImm, IterVar, Range, is_const_int


def aligned_domain(rel: Align, whole: Range) -> Range:
    """All vectors that a row may touch."""
    vectors = operators.floordiv(operators.add(whole.extent, _furthest(rel, whole) + rel.lanes - 1), rel.lanes)
    return Range.from_min_extent(0, operators.multiply(vectors, rel.lanes))


def is_whole_vectors(rel: Align, part: Range) -> bool:
    """True when every row is made of whole vectors, and so is the part of it that is computed."""
    if _furthest(rel, part) != 0:
        return False
    assert rel.parent.dom is not None
    extent = part.extent
    return extent is rel.parent.dom.extent or (isinstance(extent, IntImm) and extent.value % rel.lanes == 0)


def row_value(rel: Align, doms: Mapping[IterVar, Range], values: Mapping[IterVar, Expr]) -> Expr:
    """The index of the parent axis at a position of the aligned one."""
    return operators.add(values[rel.aligned], _shift(rel, doms, values))


def aligned_value(rel: Align, doms: Mapping[IterVar, Range], values: Mapping[IterVar, Expr]) -> Expr:
    """The position of the aligned axis at an index of the parent."""
    return operators.subtract(values[rel.parent], _shift(rel, doms, values))


def row_interval(
    rel: Align, doms: Mapping[IterVar, Range], found: Mapping[IterVar, Interval], forms: Forms
) -> Interval:
    """The indices of the parent while the aligned axis and the rows run over their intervals."""
    aligned = found[rel.aligned]
    rows = [found[axis] for axis in rel.rows]
    if all([row.width.value() == 0 for row in rows]):
        values = {axis: forms.expr(row.low, axis.var.dtype) for axis, row in zip(rel.rows, rows, strict=True)}
        return Interval(aligned.low.plus(forms.of(_shift(rel, doms, values))), aligned.width)
    back = _furthest(rel, doms[rel.parent])
    least = forms.of(doms[rel.parent].min).shifted(-back)
    return Interval(aligned.low.plus(least), aligned.width.shifted(back))


def in_row(rel: Align, doms: Mapping[IterVar, Range], values: Mapping[IterVar, Expr]) -> Expr:
    """Whether a position of the aligned axis stands for an element of the domain of its parent."""
    relative = operators.subtract(values[rel.parent], doms[rel.parent].min)
    after, before = operators.compare(GE, relative, 0), operators.compare(LT, relative, doms[rel.parent].extent)
    return operators.logical(And, after, before)


def _furthest(rel: Align, domain: Range) -> int:
    """Most elements between the start of a row and the aligned place before it."""
    assert rel.parent.dom is not None
    whole = rel.parent.dom.extent
    if isinstance(whole, IntImm) and is_const_int(domain.min, 0):
        return rel.lanes - math.gcd(whole.value, rel.lanes)
    return rel.lanes - 1


def _shift(rel: Align, doms: Mapping[IterVar, Range], values: Mapping[IterVar, Expr]) -> Expr:
    """The parent's index at the first position: as far back as the first element is from a multiple of the lanes."""
    least = doms[rel.parent].min
    if _furthest(rel, doms[rel.parent]) == 0:
        return least
    assert rel.parent.dom is not None
    stride: Expr = rel.parent.dom.extent
    row: Expr = operators.const(0, rel.parent.var.dtype)
    for axis in reversed(rel.rows):
        assert axis.dom is not None
        row = operators.add(operators.multiply(values[axis], stride), row)
        stride = operators.multiply(stride, axis.dom.extent)
    return operators.subtract(least, operators.floormod(operators.add(row, least), rel.lanes))
