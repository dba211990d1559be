"""Expressions that are evaluated only where a guard holds: elsewhere, what they read lies outside of its tensor."""

from __future__ import annotations

from gpucomp.tir import expr as e
from gpucomp.tir import operators
from gpucomp.tir.expr import Expr, IntImm, ProducerLoad, Reduce
from gpucomp.tir.functor import expr_post_order
from gpucomp.tir.intrin import if_then_else


def both(guard: Expr, condition: Expr) -> Expr:
    """Holds where the guard and the condition do; the condition reads nothing where the guard fails."""
    if isinstance(guard, IntImm) or not _reads(condition):
        return operators.logical(e.And, condition, guard)
    return if_then_else(guard, condition, operators.const(0, condition.dtype))


def guarded(body: Expr, guard: Expr) -> Expr:
    """The body of an element where the guard holds, zero elsewhere; of a reduction, its start value."""
    if not isinstance(body, Reduce):
        return if_then_else(guard, body, operators.const(0, body.dtype))
    init = [if_then_else(guard, x, operators.const(0, x.dtype)) if _reads(x) else x for x in body.init]
    condition = both(guard, body.condition)
    return Reduce(body.combiner, body.source, body.axis, condition, body.value_index, tuple(init))


def _reads(x: Expr) -> bool:
    return any([isinstance(n, ProducerLoad) for n in expr_post_order(x)])
