"""Schedules made for some sizes only: under a ``te.SpecializedCondition`` that the sizes of the call meet."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

from gpucomp import te
from gpucomp.tir.expr import EQ, Expr, FloorMod, IntImm
from tests.fuzz.problem import Problem

_DIVISORS = (2, 3, 4, 8)


def condition(problem: Problem, choice: int) -> AbstractContextManager[object]:
    """For a problem with symbolic extents, every other time: what divides them; else nothing."""
    clauses: list[Expr] = []
    for extent, size in problem.sizes.items():
        fitting = [f for f in _DIVISORS if size % f == 0]
        if fitting:
            clauses.append(extent % fitting[choice // 2 % len(fitting)] == 0)
    return te.SpecializedCondition(clauses) if clauses and choice % 2 else nullcontext()


def divisor(extent: Expr | None) -> int:
    """What divides an extent by the condition that holds here; 0 where it says nothing."""
    holds = te.SpecializedCondition.current()
    for clause in holds.clauses if holds is not None else ():
        rest = clause.a if isinstance(clause, EQ) else None
        if isinstance(rest, FloorMod) and rest.a is extent and isinstance(rest.b, IntImm):
            return rest.b.value
    return 0
