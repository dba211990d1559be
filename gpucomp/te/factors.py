"""Symbolic split factors: the variables that a schedule leaves open."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpucomp import arith
from gpucomp.te.relation import Split
from gpucomp.tir.expr import IntImm, Var
from gpucomp.tir.functor import expr_post_order

if TYPE_CHECKING:
    from gpucomp.te.state import Schedule

_LARGEST = 2**31 - 1


def factor_vars(schedule: Schedule) -> tuple[Var, ...]:
    """Variables that stand for split factors (or numbers of parts) and for nothing else, in order.

    They are at least 1.  A variable that is an extent of a tensor too may be 0, so nothing is assumed of it.
    """
    factors: dict[Var, None] = {}
    for stage in schedule.stages:
        for rel in stage.relations:
            if not isinstance(rel, Split):
                continue
            size = rel.nparts if rel.factor is None else rel.factor
            if size is not None and not isinstance(size, IntImm):
                factors.update(dict.fromkeys([x for x in expr_post_order(size) if isinstance(x, Var)]))
    if not factors:
        return ()
    sizes = [x for stage in schedule.stages for t in stage.op.outputs for x in t.shape]
    sizes += [a.dom.extent for stage in schedule.stages for a in stage.op.root_iter_vars if a.dom is not None]
    extents = {x for x in expr_post_order(*sizes) if isinstance(x, Var)}
    return tuple([v for v in factors if v not in extents])


def extent_vars(schedule: Schedule) -> tuple[Var, ...]:
    """Variables that are the extent of an axis, which is never negative, in order."""
    found: dict[Var, None] = {}
    for stage in schedule.stages:
        for axis in stage.op.root_iter_vars:
            if axis.dom is not None and isinstance(axis.dom.extent, Var):
                found[axis.dom.extent] = None
    return tuple(found)


def declare_factors(schedule: Schedule, analyzer: arith.Analyzer) -> None:
    """Tell an analyzer that split factors are at least 1."""
    for var in factor_vars(schedule):
        analyzer.update(var, arith.ConstIntBound(1, _LARGEST))
