"""Questions that need no lasting analyzer: interval evaluation, linear equations, bounds from conditions."""

from __future__ import annotations

from collections.abc import Iterable

from gpucomp.arith.analyzer import Analyzer
from gpucomp.arith.int_set import IntervalSet, IntSet
from gpucomp.arith.sets import Domains
from gpucomp.tir import operators
from gpucomp.tir.expr import ExprLike


def eval_set(expr: ExprLike, dom_map: Domains, analyzer: Analyzer | None = None) -> IntervalSet:
    """The interval of the values that ``expr`` takes while variables run over their sets.

    Args:
        expr: an integer expression; a vector stands for the values of its lanes.
        dom_map: variable or axis -> set or range; other variables are parameters, free to occur in the ends.
        analyzer: facts to use; none by default.
    """
    return (analyzer or Analyzer()).int_set(operators.convert(expr), dom_map)


def union(sets: Iterable[IntSet], analyzer: Analyzer | None = None) -> IntervalSet:
    """The smallest interval that contains all the sets."""
    return (analyzer or Analyzer()).union(sets)


def intersect(sets: Iterable[IntSet], analyzer: Analyzer | None = None) -> IntervalSet:
    """The interval of the values that lie in all the sets."""
    return (analyzer or Analyzer()).intersect(sets)
