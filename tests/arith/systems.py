"""Solutions of systems of integer constraints, by trying all candidates."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence

from gpucomp.arith import IntConstraints
from gpucomp.tir.expr import Expr, Range, Var
from tests.arith.evaluate import evaluate

Point = dict[Var, int]


def holds(conditions: Sequence[Expr], point: Mapping[Var, int]) -> bool:
    """Every condition is true."""
    return all(evaluate(c, point) for c in conditions)


def boxed(domain: Range, point: Mapping[Var, int]) -> range:
    """The integers of a range."""
    low = evaluate(domain.min, point)
    return range(low, low + max(evaluate(domain.extent, point), 0))


def solutions(system: IntConstraints, window: range, parameters: Point) -> Iterator[Point]:
    """Solutions of a system; variables without a range are tried over ``window``."""
    names = system.variables
    for values in itertools.product(*[_candidates(system, v, window, parameters) for v in names]):
        point = {**parameters, **dict(zip(names, values, strict=True))}
        if holds(system.conditions(), point):
            yield point


def _candidates(system: IntConstraints, var: Var, window: range, parameters: Point) -> range:
    domain = system.ranges.get(var)
    if domain is None:
        return window
    try:
        return boxed(domain, parameters)
    except KeyError:  # the range depends on another variable: conditions() will judge
        return window
